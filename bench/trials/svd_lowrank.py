# One module of an adapter as kohya's and PEFT's scripts do it: the product is formed, and decomposed by torch.svd_lowrank with
# q = 2·rank and niter = 2. Where torch cannot be imported, by the same algorithm (Halko, Martinsson, Tropp, 2009, 4.3 and 5.1) in numpy.
import json
import sys
import time

import numpy as np

size, rank, to, terms, modules = (int(x) for x in sys.argv[1:])
try:
    import torch
except ImportError:
    torch = None


def basis(a, q, niter, random):
    x = np.linalg.qr(a @ random.standard_normal((a.shape[1], q), dtype=np.float32))[0]
    for _ in range(niter):
        x = np.linalg.qr(a.T @ x)[0]
        x = np.linalg.qr(a @ x)[0]
    return x


def svd_lowrank(a, q, random, niter=2):
    if torch:
        return [x.numpy() for x in torch.svd_lowrank(torch.from_numpy(a), q=q, niter=niter)]
    x = basis(a, q, niter, random)
    u, s, vh = np.linalg.svd(x.T @ a, full_matrices=False)
    return x @ u, s, vh.T


random = np.random.default_rng(0)
seconds = []
for _ in range(modules + 1):  # the first is not counted
    pairs = [
        [random.standard_normal(shape, dtype=np.float32) for shape in ((size, rank), (rank, size))] for _ in range(terms)
    ]
    start, used = time.perf_counter(), time.process_time()
    weight = sum((up @ down for up, down in pairs[1:]), pairs[0][0] @ pairs[0][1])
    u, s, v = svd_lowrank(weight, 2 * to, random)
    up, down = u[:, :to] * s[:to], np.ascontiguousarray(v[:, :to].T)
    seconds.append((time.perf_counter() - start, time.process_time() - used))
wall, cpu = sorted(seconds[1:])[modules // 2]
by = f"torch {torch.__version__}" if torch else f"the same algorithm in numpy {np.__version__}"
print(json.dumps({"seconds": wall, "cpu": cpu, "by": by}))
