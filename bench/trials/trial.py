"""One timed computation in a fresh process: the case comes as JSON, the seconds go to standard output."""

import json
import sys
import time

import numpy as np

case = json.loads(sys.argv[1])


def operands():
    """A and B of a product, or A alone, of standard normal elements."""
    rng = np.random.default_rng(1)
    n, l, k, r = (case.get(name) for name in "nlkr")
    shapes = [(n, l, r)] if k is None else [(n, l, k), (n, k, r)]
    return [rng.standard_normal(shape).astype(case["dtype"]) for shape in shapes]


def trial(compute):
    """Runs `compute` once to warm up and once on the clock."""
    compute()
    start = time.perf_counter()
    compute()
    print(time.perf_counter() - start)
