#!/usr/bin/env python3
"""Writes test/fixtures/scan.safetensors and what `factored-svd scan` has to say of it, scan.json.

    apt-get install python3-mpmath
    /usr/bin/python3 scripts/reference/make_scan.py            # writes the files
    /usr/bin/python3 scripts/reference/make_scan.py --check    # compares them with what it would write

Every number is computed from its definition, in 40 digits, by ways that are not those of the package: the law of Marchenko
and Pastur by quadrature of its density, the power laws by trying every xmin with plain powers.
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
mp.dps = 40
rng = random.Random(16)


def noise(count):
    """About normal, of mean 0 and variance 1."""
    return [sum(rng.random() for _ in range(12)) - 6 for _ in range(count)]


def spiked(rows, cols, spikes):
    """Noise, and directions that stand out of it."""
    x = noise(rows * cols)
    for strength in spikes:
        u, v = noise(rows), noise(cols)
        scale = strength / math.sqrt(sum(a * a for a in u) * sum(b * b for b in v))
        for i in range(rows):
            for j in range(cols):
                x[i * cols + j] += scale * u[i] * v[j]
    return x


def heavy(rows, cols):
    """Rows and columns of very different sizes: no law of noise fits."""
    x = noise(rows * cols)
    return [v * 3 / (1 + i // cols) ** 0.7 / (1 + i % cols) ** 0.4 for i, v in enumerate(x)]


def to_bf16(x):
    """The bits of the nearest bfloat16."""
    word = struct.unpack("<I", struct.pack("<f", x))[0]
    return (word + 0x7FFF + (word >> 16 & 1)) >> 16


def encode(dtype, values):
    """Bytes in the file, and the numbers that they are."""
    if dtype == "BF16":
        bits = [to_bf16(x) for x in values]
        return struct.pack(f"<{len(bits)}H", *bits), [struct.unpack("<f", struct.pack("<I", b << 16))[0] for b in bits]
    code = {"F64": "d", "F32": "f", "F16": "e"}[dtype]
    data = struct.pack(f"<{len(values)}{code}", *values)
    return data, list(struct.unpack(f"<{len(values)}{code}", data))


NAN, INF = float("nan"), float("inf")
broken = noise(20 * 12)
broken[3], broken[77], broken[100] = NAN, INF, -INF
TENSORS = [
    ("plain", "F64", [30, 20], spiked(30, 20, [])),
    ("spiked", "F64", [24, 60], spiked(24, 60, [40, 25])),
    ("heavy", "BF16", [40, 32], heavy(40, 32)),
    ("small", "F16", [24, 24], [x / 64 for x in spiked(24, 24, [20])]),
    ("experts", "BF16", [2, 20, 24], spiked(20, 24, [30]) + heavy(20, 24)),
    ("convolution", "F32", [12, 3, 3, 2], heavy(12, 18)),
    ("few", "F32", [5, 40], noise(200)),
    ("norm", "F32", [17], noise(16) + [NAN]),
    ("broken", "BF16", [20, 12], broken),
]


def marchenko_pastur_median(beta):
    root = mpmath.sqrt(beta)
    a, b = (1 - root) ** 2, (1 + root) ** 2

    def above(x):
        return mpmath.quad(lambda t: mpmath.sqrt((b - t) * (t - a)) / (2 * mp.pi * beta * t), [x, (x + b) / 2, b])

    with mp.workdps(20):
        low, high = a + (b - a) / 1000, b
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if above(middle) > 0.5 else (low, middle)
        return low


def quantile(ascending, q):
    """numpy's and torch's default."""
    at = q * (len(ascending) - 1)
    i = min(math.floor(at), len(ascending) - 2)
    return ascending[i] + (at - i) * (ascending[i + 1] - ascending[i])


def spectrum(S, rows, cols):
    """S: singular values, largest first."""
    p, small, large = len(S), min(rows, cols), max(rows, cols)
    energy = sum(s**2 for s in S)
    out = {
        "sigma1": S[0],
        "nuclear": sum(S),
        "stableRank": energy / S[0] ** 2,
        "effectiveRank": mpmath.exp(-sum(s**2 / energy * mpmath.log(s**2 / energy) for s in S if s > 0)),
        "condition": S[0] / S[-1],
        "top": sum(s**2 for s in S[: math.ceil(p / 100)]) / energy,
    }
    ascending = S[::-1]
    # Spectrum: spectrum.py of cognitivecomputations/spectrum
    sigma = (quantile(ascending, 0.75) - quantile(ascending, 0.25)) / mpf("1.349")
    threshold = sigma * (1 + mpmath.sqrt(mpf(small) / large))
    signal = [s for s in S if s > threshold]
    rest = [s for s in S if s <= threshold]
    out["snr"] = sum(signal) / (sum(rest) if rest else 1) / S[0]
    if p < 10:
        return out
    sigma = quantile(ascending, 0.5) / mpmath.sqrt(large * marchenko_pastur_median(mpf(small) / large))
    out["edge"] = sigma * (mpmath.sqrt(small) + mpmath.sqrt(large))
    m, n = mpmath.sqrt(small - mpf(1) / 2), mpmath.sqrt(large - mpf(1) / 2)
    chance = (m + n) ** 2 + mpf("3.2724") * (m + n) * (1 / m + 1 / n) ** (mpf(1) / 3)
    out["spikes"] = sum(s**2 > sigma**2 * chance for s in S)
    # WeightWatcher: WWFit of weightwatcher/WW_powerlaw.py
    data = [s**2 for s in ascending if s**2 > mpf("0.00001")]
    fits = []
    for i, xmin in enumerate(data[:-1]):
        tail = data[i:]
        n = len(tail)
        alpha = 1 + n / sum(mpmath.log(x / xmin) for x in tail)
        fits.append((max(abs(1 - (x / xmin) ** (1 - alpha) - mpf(j) / n) for j, x in enumerate(tail)), xmin, alpha))
    if len(data) >= 10:
        out["distance"], out["xmin"], out["alpha"] = min(fits, key=lambda fit: fit[0])
        # Another xmin must not be as good but for rounding: what is found would depend on it.
        assert sorted(fit[0] for fit in fits)[1] - out["distance"] > 1e-4
    return out


def rows_of(name, dtype, shape, values):
    if len(shape) == 1:
        matrices = [(None, None, values)]
    elif len(shape) == 3:
        size = shape[1] * shape[2]
        matrices = [(i, shape[1:], values[i * size : (i + 1) * size]) for i in range(shape[0])]
    else:
        matrices = [(None, [shape[0], math.prod(shape[1:])], values)]
    for item, matrix, part in matrices:
        finite = [mpf(x) for x in part if math.isfinite(x)]
        row = {
            "norm": mpmath.sqrt(sum(x**2 for x in finite)),
            "largest": max(abs(x) for x in finite),
            "nan": sum(math.isnan(x) for x in part),
            "infinite": sum(math.isinf(x) for x in part),
        }
        if matrix and len(finite) == len(part):
            rows, cols = matrix
            a = mpmath.matrix(rows, cols)
            for i, x in enumerate(part):
                a[i // cols, i % cols] = mpf(x)
            S = sorted(mpmath.svd_r(a, compute_uv=False), reverse=True)
            row.update(spectrum(S, rows, cols))
        yield {"name": name, **({} if item is None else {"item": item}), **{k: float(v) for k, v in row.items()}}


def make():
    header, body, rows = {}, b"", []
    for name, dtype, shape, values in TENSORS:
        data, numbers = encode(dtype, values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
        rows += rows_of(name, dtype, shape, numbers)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return {
        "scan.safetensors": struct.pack("<Q", len(text)) + text + body,
        "scan.json": ("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n").encode(),
    }


def main():
    made = make()
    if "--check" not in sys.argv[1:]:
        for name, data in made.items():
            (FIXTURES / name).write_bytes(data)
        return
    wrong = [name for name, data in made.items() if (FIXTURES / name).read_bytes() != data]
    if wrong:
        sys.exit(f"test/fixtures differs from what {Path(__file__).name} makes: {', '.join(wrong)}")
    print("test/fixtures: scan is what its script makes")


main()
