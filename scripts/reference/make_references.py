#!/usr/bin/env python3
"""Writes the reference values in test/fixtures, from arithmetic with far more digits than any double.

    apt-get install python3-mpmath
    /usr/bin/python3 scripts/reference/make_references.py            # writes the files
    /usr/bin/python3 scripts/reference/make_references.py --check    # compares them with what it would write

The inputs are stored numbers, rounded to their dtype first; each reference belongs to exactly those numbers. Every
reference is computed twice, with 160 and with 240 digits, and must agree in all the digits that are written.
Singular values of a matrix that is exactly rank-deficient are written as "0".
"""
import json
import math
import random
import struct
import sys
from pathlib import Path

import mpmath
from mpmath import mp, mpf

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
DIGITS = 25
PRECISIONS = (160, 240)
L, K, R = 12, 6, 10


# Matrices are lists of rows of Python floats (doubles).


def uniform(rng, rows, cols):
    return [[2 * rng.random() - 1 for _ in range(cols)] for _ in range(rows)]


def scale_cols(a, d):
    return [[x * s for x, s in zip(row, d)] for row in a]


def scale_rows(b, d):
    return [[x * s for x in row] for row, s in zip(b, d)]


def transpose(a):
    return [list(col) for col in zip(*a)]


def matmul(a, b):
    columns = transpose(b)
    return [[math.fsum(x * y for x, y in zip(row, col)) for col in columns] for row in a]


def orthonormal(rng, rows, cols):
    """Columns that are orthonormal to rounding (Gram-Schmidt in high precision, then rounded)."""
    with mp.workdps(50):
        q, _ = mpmath.qr(mpmath.matrix(uniform(rng, rows, cols)), mode="skinny")
        return [[float(q[i, j]) for j in range(cols)] for i in range(rows)]


def with_spectrum(rng, rows, cols, sigma):
    """Factors U·diag(sigma) and Vh, rounded."""
    k = len(sigma)
    return scale_cols(orthonormal(rng, rows, k), sigma), transpose(orthonormal(rng, cols, k))


def hadamard(order):
    """Sylvester's and, for 12, Paley's construction: entries ±1, orthogonal rows."""
    if order == 12:
        squares = {x * x % 11 for x in range(1, 11)}
        chi = [0] + [1 if x in squares else -1 for x in range(1, 11)]
        rows = [[1.0] * 12]
        for i in range(11):
            rows.append([-1.0] + [1.0 if i == j else float(chi[(j - i) % 11]) for j in range(11)])
        return rows
    return [[-1.0 if bin(i & j).count("1") % 2 else 1.0 for j in range(order)] for i in range(order)]


def logspace(low, high, count):
    with mp.workdps(50):  # the C library's pow differs between systems in the last bit
        return [float(mpf(10) ** (low + mpf(high - low) * i / (count - 1))) for i in range(count)]


def to_float32(a):
    return [[struct.unpack("f", struct.pack("f", x))[0] for x in row] for row in a]


# Exact arithmetic.


def singular_values(m):
    """Of an mpmath matrix, descending."""
    if m.rows < m.cols:
        m = m.T
    scale = max(abs(x) for x in m)
    if scale == 0:
        return [mpf(0)] * m.cols
    values = sorted(mpmath.svd_r(m / scale, compute_uv=False), reverse=True)
    noise = values[0] * mpf(10) ** (20 - PRECISIONS[0])
    return [mpf(0) if s < noise else s * scale for s in values]


def decimal(x):
    return "0" if x == 0 else mpmath.nstr(x, DIGITS, strip_zeros=False, min_fixed=0, max_fixed=0)


def agreed(compute):
    """The decimals that `compute` gives with both precisions."""
    answers = []
    for digits in PRECISIONS:
        with mp.workdps(digits):
            answers.append([decimal(x) for x in compute()])
    assert answers[0] == answers[1], answers
    return answers[0]


def exact_product(a, b):
    return mpmath.matrix(a) * mpmath.matrix(b)


def core(a, b):
    """A small matrix with the nonzero singular values of a·b: the product, or that of Cholesky roots of aᵀ·a and b·bᵀ."""
    k = len(b)
    if k < 30 or k >= min(len(a), len(b[0])):
        return exact_product(a, b)
    roots = [mpmath.cholesky(x.T * x) for x in (mpmath.matrix(a), mpmath.matrix(transpose(b)))]
    return roots[0].T * roots[1]


def frobenius(m):
    return mpmath.sqrt(mpmath.fsum(x * x for x in m))


def beta(a, b):
    norms_a = [frobenius(mpmath.matrix(col)) for col in transpose(a)]
    norms_b = [frobenius(mpmath.matrix(row)) for row in b]
    return mpmath.fsum(x * y for x, y in zip(norms_a, norms_b))


def stored(a):
    return {"shape": [len(a), len(a[0])], "data": [x for row in a for x in row]}


def product_case(name, a, b, dtype="float64"):
    if dtype == "float32":
        a, b = to_float32(a), to_float32(b)
    p = min(len(a), len(b), len(b[0]))
    return {
        "name": name,
        "dtype": dtype,
        "A": stored(a),
        "B": stored(b),
        "singularValues": agreed(lambda: singular_values(core(a, b))[:p]),
        "norm": agreed(lambda: [frobenius(exact_product(a, b))])[0],
        "beta": agreed(lambda: [beta(a, b)])[0],
    }


def dense_case(name, a, dtype="float64"):
    if dtype == "float32":
        a = to_float32(a)
    return {
        "name": name,
        "dtype": dtype,
        "matrix": stored(a),
        "singularValues": agreed(lambda: singular_values(mpmath.matrix(a))),
        "norm": agreed(lambda: [frobenius(mpmath.matrix(a))])[0],
    }


# The cases.


def graded(rng, name, order, span, dtype="float64"):
    """A0·D1 and D2·B0 with well-conditioned A0, B0; D1 and D2 run over 10^±span in the given orders."""
    d1, d2 = ([logspace(-span, span, K)[i] for i in indices] for indices in order)
    a, b = scale_cols(uniform(rng, L, K), d1), scale_rows(uniform(rng, K, R), d2)
    return product_case(name, a, b, dtype)


def gauge(rng, name, dtype="float64"):
    """A well-conditioned product whose inner dimension is rescaled: A·D and D⁻¹·B, D from 1 to 1e6."""
    d = logspace(0, 6, K)
    a, b = scale_cols(uniform(rng, L, K), d), scale_rows(uniform(rng, K, R), [1 / x for x in d])
    return product_case(name, a, b, dtype)


def cancellation(rng, name, difference, dtype="float64"):
    """[X, X + difference·E]·[Y; −Y] = −difference·E·Y: β is about 1/difference times the largest singular value."""
    x, e, y = uniform(rng, L, K // 2), uniform(rng, L, K // 2), uniform(rng, K // 2, R)
    near = [[p + difference * q for p, q in zip(row, other)] for row, other in zip(x, e)]
    a = [row + other for row, other in zip(x, near)]
    return product_case(name, a, y + scale_rows(y, [-1.0] * len(y)), dtype)


def products():
    rng = random.Random(20240501)
    ascending, descending, mixed, other = range(K), range(K - 1, -1, -1), [3, 0, 5, 1, 4, 2], [1, 4, 0, 2, 5, 3]
    cases = [product_case("well conditioned", uniform(rng, L, K), uniform(rng, K, R))]
    cases.append(gauge(rng, "gauge 1 to 1e6"))
    cases.append(graded(rng, "graded, both descending", (descending, descending), 12))
    cases.append(graded(rng, "graded, both ascending", (ascending, ascending), 12))
    cases.append(graded(rng, "graded, opposite orders", (descending, ascending), 12))
    cases.append(graded(rng, "graded, permuted", (mixed, other), 12))
    cases.append(cancellation(rng, "cancellation to 1e-8", 1e-8))
    x, y = uniform(rng, L, 3), uniform(rng, 3, R)
    cases.append(product_case("cancellation to zero", [r + r for r in x], y + scale_rows(y, [-1.0] * 3)))
    a, b = uniform(rng, L, 2), uniform(rng, 2, R)
    small = [row + [v * 2.0**-20 for v in row] + [row[0] - row[1], row[1]] for row in a]
    cases.append(product_case("linearly dependent columns", small, b + scale_rows(b, [3.0, -3.0]) + b))
    cases.append(
        product_case(
            "exactly repeated",
            scale_cols([row[:K] for row in hadamard(12)], [4.0, 4.0, 4.0, 1.0, 1.0, 0.5]),
            hadamard(8)[:K],
        )
    )
    cases.append(
        product_case("clusters of width 1e-14", *with_spectrum(rng, L, R, [3, 3 - 3e-14, 1, 1 - 1e-14, 1 - 2e-14, 1e-5]))
    )
    cases.append(product_case("clusters of width 1e-6", *with_spectrum(rng, L, R, [2, 2 - 2e-6, 1, 1 - 1e-6, 1 - 2e-6, 0.1])))
    cases.append(product_case("k above l and r", uniform(rng, 5, 9), uniform(rng, 9, 7)))
    cases.append(
        product_case("k above l and r, gauge", scale_cols(uniform(rng, 5, 9), logspace(0, 6, 9)), scale_rows(uniform(rng, 9, 7), logspace(0, -6, 9)))
    )
    cases.append(product_case("k between, l below", uniform(rng, 4, K), uniform(rng, K, R)))
    cases.append(product_case("k between, r below", uniform(rng, L, K), uniform(rng, K, 4)))
    cases.append(product_case("1 by n", uniform(rng, 1, 4), uniform(rng, 4, R)))
    cases.append(product_case("n by 1", uniform(rng, L, 4), uniform(rng, 4, 1)))
    cases.append(product_case("k = 1", uniform(rng, L, 1), uniform(rng, 1, R)))
    a, b = uniform(rng, L, K), uniform(rng, K, R)
    for i in range(L):
        a[i][2] = 0.0
    cases.append(product_case("a zero column", a, b))
    tiny, huge = [2.0**-520] * K, [2.0**500] * K
    cases.append(product_case("factors near 1e-157 and 1e150", scale_cols(uniform(rng, L, K), tiny), scale_rows(uniform(rng, K, R), huge)))
    cases.append(product_case("factors whose squares overflow", scale_cols(uniform(rng, L, K), [1e170] * K), scale_rows(uniform(rng, K, R), [1e130] * K)))

    f32 = "float32"
    cases.append(product_case("float32, well conditioned", uniform(rng, L, K), uniform(rng, K, R), f32))
    cases.append(gauge(rng, "float32, gauge 1 to 1e6", f32))
    cases.append(graded(rng, "float32, graded, permuted", (mixed, other), 12, f32))
    cases.append(graded(rng, "float32, graded, opposite orders", (descending, ascending), 12, f32))
    cases.append(cancellation(rng, "float32, cancellation to 1e-4", 1e-4, f32))
    cases.append(product_case("float32, clusters of width 1e-3", *with_spectrum(rng, L, R, [2, 2 - 2e-3, 1, 1 - 1e-3, 1 - 2e-3, 0.1]), f32))
    cases.append(product_case("float32, factors whose squares overflow", scale_cols(uniform(rng, L, K), [1e25] * K), scale_rows(uniform(rng, K, R), [1e10] * K), f32))
    cases.append(product_case("float32, k above l and r", uniform(rng, 5, 9), uniform(rng, 9, 7), f32))
    dependent = [[x, y, x - y, x + y, 2 * x, 3 * y] for x, y in integers(rng, L, 2)]
    cases.append(product_case("float32, linearly dependent columns", dependent, integers(rng, K, R), f32))
    return cases


def graded_families():
    """Products A0·D1·D2·B0 with well-conditioned integer A0 and B0 of several shapes: D1 and D2 are powers of two, of which
    the files hold the exponents. All numbers are exact in float32 too, so that one reference serves both dtypes."""
    rng = random.Random(20240505)
    span = 40  # 2^±40 = 10^±12
    families = []
    for name, (l, k, r) in [
        ("tall, k = 32", (40, 32, 36)),
        ("tall, k = 6", (12, 6, 10)),
        ("A square", (8, 8, 12)),
        ("B square", (12, 8, 8)),
        ("both square, k = 8", (8, 8, 8)),
        ("both square, k = 28", (28, 28, 28)),
        ("k between l and r", (6, 9, 12)),
        ("k above l and r", (6, 9, 7)),
    ]:
        a0, b0 = integers(rng, l, k), integers(rng, k, r)
        one, other = permutation(rng, k), permutation(rng, k)
        down, zero = [round(span - 2 * span * j / (k - 1)) for j in range(k)], [0] * k
        up = down[::-1]
        gauge = [round(e / 2) for e in down]  # 10^±6
        orders = [
            ("well conditioned", zero, zero),
            ("gauge 1e±6", gauge, [-e for e in gauge]),
            ("gauge 1e±12, permuted", [down[j] for j in one], [-down[j] for j in one]),
            ("both descending", down, down),
            ("both ascending", up, up),
            ("permuted", [down[j] for j in one], [down[j] for j in other]),
            ("A alone, ascending", up, zero),
            ("B alone, permuted", zero, [down[j] for j in one]),
        ]
        cases = [graded_case(order, a0, b0, columns, rows) for order, columns, rows in orders]
        families.append({"name": name, "A": stored(a0), "B": stored(b0), "cases": cases})
    families.append(two_levels(rng))
    for name, shape in [("tall, k = 20", (24, 20, 22)), ("A flat, k = 20", (6, 20, 24)), ("B flat, k = 20", (24, 20, 6))]:
        families.append(levels_apart(rng, name, *shape))
    return families


def levels_apart(rng, name, l, k, r):
    """Two levels from 2 to 1e18 apart: each is the largest that some way of decomposing can still be exact for."""
    a0, b0 = integers(rng, l, k), integers(rng, k, r)
    zero = [0] * k
    cases = []
    for n, apart in enumerate([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 20, 31, 45, 60]):
        large = [apart if (3 * j + n) % 7 < 3 else 0 for j in range(k)]
        columns, rows = (large, zero) if n % 2 else (zero, large)
        cases.append(graded_case(f"levels 2^{apart} apart", a0, b0, columns, rows))
    return {"name": name, "A": stored(a0), "B": stored(b0), "cases": cases}


def two_levels(rng):
    """Most of the inner dimension is large, the rest small: a bidiagonal form of such a core has lost the small part."""
    l, k, r = 120, 40, 116
    a0, b0 = ([[math.floor(19 * rng.random()) - 9 for _ in range(n)] for _ in range(m)] for m, n in [(l, k), (k, r)])
    zero, large = [0] * k, [18 if j % 10 < 7 else 0 for j in range(k)]
    cases = [graded_case("A alone, two levels", a0, b0, large, zero), graded_case("both, two levels", a0, b0, large, large)]
    return {"name": "tall, k = 40", "A": stored(a0), "B": stored(b0), "cases": cases}


def integers(rng, rows, cols):
    """±20 as in a Hadamard matrix, each changed by up to 9: dense, and well conditioned."""
    order = next(n for n in (8, 12, 16, 32, 64) if n >= max(rows, cols))
    signs = hadamard(order)
    return [[int(20 * signs[i][j]) + math.floor(19 * rng.random()) - 9 for j in range(cols)] for i in range(rows)]


def permutation(rng, n):
    return [j for _, j in sorted((rng.random(), j) for j in range(n))]


def graded_case(name, a0, b0, columns, rows):
    a, b = scale_cols(a0, [2.0**e for e in columns]), scale_rows(b0, [2.0**e for e in rows])
    case = product_case(name, a, b)
    numbers = {key: case[key] for key in ("singularValues", "norm", "beta")}
    return {"name": name, "columns": columns, "rows": rows, **numbers}


def kahan(n, theta):
    with mp.workdps(50):
        s, c = mpmath.sin(theta), mpmath.cos(theta)
        return [[0.0] * i + [float(s**i)] + [float(-c * s**i)] * (n - i - 1) for i in range(n)]


def dense():
    rng = random.Random(20240502)
    hilbert = [[1 / (i + j + 1) for j in range(8)] for i in range(8)]
    rows, cols = logspace(0, -10, 8), logspace(0, -6, 6)
    # σ₁ of 8×6 numbers of at most 1 is below 7, so a scale of DBL_MAX/8 keeps every singular value representable.
    near_max, subnormal = sys.float_info.max / 8, 5e-324 * 2**20
    return [
        dense_case("random 12 by 10", uniform(rng, L, R)),
        dense_case("random 6 by 12", uniform(rng, K, L)),
        dense_case("Hilbert 8", hilbert),
        dense_case("graded rows and columns", scale_cols(scale_rows(uniform(rng, 8, 6), rows), cols)),
        dense_case("Kahan 10", kahan(10, 1.2)),
        dense_case("near DBL_MAX", [[x * near_max for x in row] for row in uniform(rng, 8, 6)]),
        dense_case("subnormal", [[x * subnormal for x in row] for row in uniform(rng, 8, 6)]),
        dense_case("exactly repeated", scale_rows(hadamard(8), [2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.25])),
        dense_case("rank 2, exactly", matmul([[1.0, i] for i in range(7)], [[float(j) for j in range(5)], [1.0] * 5])),
        dense_case("zero", [[0.0] * 4 for _ in range(3)]),
        dense_case("float32, random 12 by 10", uniform(rng, L, R), "float32"),
        dense_case("float32, Hilbert 8", hilbert, "float32"),
        dense_case("float32, near FLT_MAX", [[x * 2.0**124 for x in row] for row in uniform(rng, 8, 6)], "float32"),
        dense_case("float32, subnormal", [[x * 2.0**-132 for x in row] for row in uniform(rng, 8, 6)], "float32"),
    ]


def eigenvalues():
    """Of B·A, sorted by falling modulus; of a conjugate pair the one with the positive imaginary part comes first."""
    rng = random.Random(20240503)
    a, b = uniform(rng, R, K), uniform(rng, K, R)

    def compute():
        values, _ = mpmath.eig(mpmath.matrix(b) * mpmath.matrix(a))
        real_below = mpf(10) ** (40 - PRECISIONS[0])
        values = [mpmath.mpc(v.real, 0 if abs(v.imag) < real_below else v.imag) for v in values]
        return sorted(values, key=lambda v: (-mpmath.nint(abs(v) * mpf(10) ** 30), -v.imag))

    parts = {
        "real": agreed(lambda: [v.real for v in compute()]),
        "imag": agreed(lambda: [v.imag for v in compute()]),
    }
    return [{"name": "random, of rank 6", "dtype": "float64", "A": stored(a), "B": stored(b), "eigenvalues": parts}]


def distances():
    rng = random.Random(20240504)

    def case(name, first, second, dtype="float64"):
        if dtype == "float32":
            first, second = [to_float32(x) for x in first], [to_float32(x) for x in second]
        (a1, b1), (a2, b2) = first, second
        return {
            "name": name,
            "dtype": dtype,
            "first": {"A": stored(a1), "B": stored(b1)},
            "second": {"A": stored(a2), "B": stored(b2)},
            "norms": agreed(lambda: [frobenius(exact_product(a1, b1)), frobenius(exact_product(a2, b2))]),
            "distance": agreed(lambda: [frobenius(exact_product(a1, b1) - exact_product(a2, b2))])[0],
        }

    def perturbed(a, relative):
        return [[x * (1 + relative * (2 * rng.random() - 1)) for x in row] for row in a]

    a, b = uniform(rng, L, K), uniform(rng, K, R)
    d = logspace(0, 6, K)
    return [
        case("relative difference 1e-9", (a, b), (perturbed(a, 1e-9), b)),
        case("one product in two gauges", (a, b), (scale_cols(a, d), scale_rows(b, [1 / x for x in d]))),
        case("unrelated, of different mdim", (a, b), (uniform(rng, L, 3), uniform(rng, 3, R))),
        case("equal", (a, b), (a, b)),
        case("squares overflow", (scale_cols(a, [1e180] * K), b), (scale_cols(a, [1e180] * K), perturbed(b, 1e-3))),
        case("float32, relative difference 1e-4", (a, b), (perturbed(a, 1e-4), b), "float32"),
    ]


def solutions():
    """a⁺, the x of least length that makes ‖a·x − b‖ least and ‖b − a·x‖² of every column, and the best approximation of
    rank 2 with the norm of what it leaves."""
    rng = random.Random(20240506)

    def case(name, a, b, dtype="float64"):
        if dtype == "float32":
            a, b = to_float32(a), to_float32(b)
        m, n = len(a), len(a[0])

        def triplets():
            x = mpmath.matrix(a)
            u, s, v = mpmath.svd_r(x if m >= n else x.T)
            u, v = (u, v) if m >= n else (v.T, u.T)
            noise = max(s) * mpf(10) ** (20 - PRECISIONS[0])
            order = sorted((j for j in range(len(s)) if s[j] > noise), key=lambda j: -s[j])
            return [(s[j], u[:, j], v[j, :]) for j in order]

        def combined(rows, cols, parts):
            total = mpmath.zeros(rows, cols)
            for part in parts:
                total += part
            return total

        def inverse():
            return combined(n, m, [v.T * u.T / s for s, u, v in triplets()])

        def remainder():
            return mpmath.matrix(b) - mpmath.matrix(a) * (inverse() * mpmath.matrix(b))

        def columns(x):
            squares = [mpmath.fsum(x[i, j] ** 2 for i in range(x.rows)) for j in range(x.cols)]
            noise = frobenius(mpmath.matrix(b)) ** 2 * mpf(10) ** (40 - 2 * PRECISIONS[0])
            return [mpf(0) if square < noise else square for square in squares]

        return {
            "name": name,
            "dtype": dtype,
            "a": stored(a),
            "b": stored(b),
            "singularValues": agreed(lambda: [s for s, _, _ in triplets()]),
            "inverse": agreed(lambda: list(inverse())),
            "x": agreed(lambda: list(inverse() * mpmath.matrix(b))),
            "squares": agreed(lambda: columns(remainder())),
            "ofRank2": agreed(lambda: list(combined(m, n, [u * v * s for s, u, v in triplets()[:2]]))),
            "left": agreed(lambda: [mpmath.sqrt(mpmath.fsum(s * s for s, _, _ in triplets()[2:]))])[0],
        }

    of_rank_3 = matmul([[1.0, i, i * i] for i in range(6)], [[float(j) for j in range(4)], [1.0] * 4, [2.0, -1.0, 0.0, 1.0]])
    hilbert = [[1 / (i + j + 1) for j in range(4)] for i in range(5)]
    cases = []
    for dtype in ("float64", "float32"):
        prefix = "" if dtype == "float64" else "float32, "
        cases += [
            case(f"{prefix}tall", uniform(rng, 6, 4), uniform(rng, 6, 2), dtype),
            case(f"{prefix}wide", uniform(rng, 3, 5), uniform(rng, 3, 2), dtype),
            case(f"{prefix}square", uniform(rng, 4, 4), uniform(rng, 4, 2), dtype),
            case(f"{prefix}Hilbert 5 by 4", hilbert, uniform(rng, 5, 2), dtype),
            case(f"{prefix}of rank 3, exactly", of_rank_3, uniform(rng, 6, 2), dtype),
        ]
    huge, tiny = 2.0**900, 2.0**-900
    cases.append(case("near 1e271", [[x * huge for x in row] for row in uniform(rng, 5, 3)], uniform(rng, 5, 2)))
    cases.append(case("near 1e-271", [[x * tiny for x in row] for row in uniform(rng, 5, 3)], [[x * tiny for x in row] for row in uniform(rng, 5, 2)]))
    return cases


def main():
    check = sys.argv[1:] == ["--check"]
    for name, make in [
        ("products", products),
        ("graded", graded_families),
        ("dense", dense),
        ("eigenvalues", eigenvalues),
        ("distances", distances),
        ("solutions", solutions),
    ]:
        cases = ",\n".join(json.dumps(case, ensure_ascii=False) for case in make())
        text = f"[\n{cases}\n]\n"
        path = FIXTURES / f"{name}.json"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} differs from what {Path(__file__).name} makes")
        print(f"{path.name}: {len(text)} bytes")


main()
