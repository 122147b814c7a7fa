// Whether this processor has the instructions of the kernels that OpenBLAS uses.
#pragma once

namespace fsvd {

// The feature that the OpenBLAS kernels called `core` need and this processor lacks; null when it has all of them, and
// where that is not known. OpenBLAS itself asks only when it chooses: the kernels that OPENBLAS_CORETYPE names are used
// whatever the processor has, and end the process with SIGILL.
const char* missing_feature(const char* core);

}  // namespace fsvd
