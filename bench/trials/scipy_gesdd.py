"""?gesdd through scipy, with the threads that its BLAS takes by itself."""

from scipy.linalg import svd
from trial import operands, trial

(A,) = operands()
trial(lambda: [svd(a, full_matrices=False, check_finite=True, lapack_driver="gesdd") for a in A])
