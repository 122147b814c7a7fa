"""numpy.linalg.svd over the batch."""

import numpy as np
from trial import operands, trial

(A,) = operands()
trial(lambda: np.linalg.svd(A, full_matrices=False))
