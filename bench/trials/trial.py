"""Timed computations in a fresh process: the case comes as JSON, the seconds of one go to standard output."""

import json
import statistics
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


WINDOW = 0.5  # seconds; trial.mjs has the same


def runs(compute):
    """Runs `compute` for half a second, but at least once: the seconds that each run took."""
    times = []
    end = time.perf_counter() + WINDOW
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return times


def trial(compute):
    """Runs `compute` to warm up and then on the clock, and prints the median of the seconds."""
    runs(compute)
    print(statistics.median_high(runs(compute)))
