"""A large matrix of a given spectrum into a file, and its singular values: the eigenvalues of the Gram matrix."""

import json
import sys

import numpy as np
from scipy.linalg import eigvalsh

case = json.loads(sys.argv[1])
m, n, spectrum = case["m"], case["n"], case["spectrum"]
rng = np.random.default_rng(1)
planted = min(512, m, n)


def orthonormal(rows):
    return np.linalg.qr(rng.standard_normal((rows, planted)))[0]


def values():
    i = np.arange(1, planted + 1)
    if spectrum == "fast":
        return 0.95**i
    return 8 * i**-0.35 if spectrum == "slow" else 0 * i


bulk = 1e-6 if spectrum == "fast" else 1
a = rng.standard_normal((m, n)) * (bulk / np.sqrt(max(m, n)))
if spectrum != "flat":
    a += (orthonormal(m) * values()) @ orthonormal(n).T
a = a.astype(case["dtype"])
a.tofile(case["file"])
x = a.astype("float64")
gram = x @ x.T if m <= n else x.T @ x
exact = np.sqrt(np.maximum(eigvalsh(gram, overwrite_a=True)[::-1], 0))
print(json.dumps({"exact": exact.tolist()}))
