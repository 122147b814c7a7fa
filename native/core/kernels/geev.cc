#include "geev.h"

#include <algorithm>

#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/dense/gather.h"
#include "core/threads/task.h"

namespace fsvd {

template <class T>
void Geev<T>::operator()(std::int64_t i) const {
  using W = Workspace;
  const std::int64_t n = a.rows, lwork = 3 * n + 64 * n;  // documented minimum, and room for blocks in ?gehrd
  status[i].set(Status::ok);
  if (n == 0) return;
  if (lwork > lapack_int_max) return status[i].set(Status::too_large, static_cast<double>(n) * n * sizeof(T));
  W ws(W::bytes_for<T>(n * n) + W::bytes_for<T>(lwork) + 2 * W::bytes_for<T>(n));
  T* x = ws.template take<T>(n * n);
  if (!gather_finite(a, i, x, status[i])) return;  // row-major, so LAPACK sees the transpose: the same eigenvalues
  T *work = ws.template take<T>(lwork), *re = ws.template take<T>(n), *im = ws.template take<T>(n);
  const lapack_int info = apart([&] { return lapack::geev(n, x, re, im, work, lwork); });
  std::copy_n(re, n, real + i * n), std::copy_n(im, n, imag + i * n);
  if (info < 0) return status[i].set(Status::internal, info);
  if (info > 0) return status[i].set(Status::no_convergence, info);
  if (!all_finite(real + i * n, n) || !all_finite(imag + i * n, n)) status[i].set(Status::overflow);
}

template struct Geev<float>;
template struct Geev<double>;

}  // namespace fsvd
