"""One timed computation on a matrix from a file, after one on a small matrix: seconds and singular values as JSON."""

import json
import os
import sys
import time

import numpy as np

os.environ["SCIPY_USE_PROPACK"] = "1"  # before scipy is imported

case = json.loads(sys.argv[1])
m, n, what, rank = case["m"], case["n"], case["what"], case.get("rank")


def gesdd(a):
    from scipy.linalg import svd

    return svd(a, full_matrices=False, check_finite=True, lapack_driver="gesdd")[1]


def svdvals(a):
    from scipy.linalg import svdvals

    return svdvals(a)


def sparse(solver):
    def run(a):
        from scipy.sparse.linalg import svds

        return svds(a, k=min(rank, min(a.shape) - 2), solver=solver, random_state=0)[1]

    return run


def lowrank(niter):
    def run(a):
        import torch

        torch.manual_seed(0)
        return torch.svd_lowrank(torch.from_numpy(a), q=min(rank, min(a.shape)), niter=niter)[1].numpy()

    return run


def sklearn(a):
    from sklearn.utils.extmath import randomized_svd

    return randomized_svd(a, n_components=min(rank, min(a.shape)), random_state=0)[1]


def timed(run, a):
    start = time.perf_counter()
    s = np.sort(np.asarray(run(a), dtype="float64"))[::-1]
    return time.perf_counter() - start, s


ways = {
    "gesdd": gesdd,
    "svdvals": svdvals,
    "arpack": sparse("arpack"),
    "propack": sparse("propack"),
    "torch": lowrank(2),
    "sklearn": sklearn,
}
a = np.fromfile(case["file"], dtype=case["dtype"]).reshape(m, n)
small = a[:64, :64].copy()
if what == "torch-equal":
    exact = np.array(case["exact"])
    niter = 2
    timed(lowrank(niter), small)
    while True:
        seconds, s = timed(lowrank(niter), a)
        error = np.max(np.abs(s[:rank] - exact[:rank]) / exact[:rank])
        if error <= case["target"] or niter >= 256:
            break
        niter *= 2
    print(json.dumps({"seconds": seconds, "values": s.tolist(), "note": f"niter {niter}"}))
else:
    timed(ways[what], small)
    seconds, s = timed(ways[what], a)
    print(json.dumps({"seconds": seconds, "values": s.tolist()}))
