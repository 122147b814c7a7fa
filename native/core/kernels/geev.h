// Eigenvalues of each item of a batch of square matrices: ?geev without vectors.
#pragma once
#include "core/base/batch.h"

namespace fsvd {

template <class T>
struct Geev {
  Batch<const T> a;
  T *real = nullptr, *imag = nullptr;  // count x n, conjugate pairs together, positive imaginary part first
  Status* status = nullptr;

  void operator()(std::int64_t i) const;
};

}  // namespace fsvd
