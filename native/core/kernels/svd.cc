#include "svd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/faults.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/dense/dense.h"
#include "core/dense/gather.h"
#include "core/dense/jacobi.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

// Row-major m x n memory is the column-major n x m transpose X = V * diag(S) * U^T, so ?gesdd of X gives its "U" in
// the memory of row-major Vh and its "VT" in that of row-major U: nothing is ever transposed. Below, x_rows = n and
// x_cols = m are the dimensions that LAPACK sees.
template <class T>
struct Item {
  const SvdLadder<T>& job;
  std::int64_t i, m, n, p, u_cols, vh_rows;
  T *u, *s, *vh;
  const std::int32_t* scales;
  Status& status;

  Item(const SvdLadder<T>& job, std::int64_t i)
      : job(job), i(i), m(job.a.rows), n(job.a.cols), p(std::min(m, n)), u_cols(job.vectors == Vectors::full ? m : p),
        vh_rows(job.vectors == Vectors::full ? n : p), u(values_only() ? nullptr : job.u.item(i)), s(job.s.item(i)),
        vh(values_only() ? nullptr : job.vh.item(i)), scales(job.scales ? job.scales + i * n : nullptr),
        status(job.status[i]) {}

  bool values_only() const { return job.vectors == Vectors::none; }

  char jobz() const { return values_only() ? 'N' : job.vectors == Vectors::thin ? 'S' : 'A'; }
  std::int64_t x_rows() const { return n; }
  std::int64_t x_cols() const { return m; }
  std::int64_t ld_vh() const { return std::max<std::int64_t>(n, 1); }
  std::int64_t ld_u() const { return std::max<std::int64_t>(u_cols, 1); }

  // The largest scale of a column.
  int top() const { return scales ? *std::max_element(scales, scales + n) : 0; }

  bool outputs_finite() const {
    if (std::any_of(s, s + p, [](T x) { return std::isnan(x); })) return false;
    return values_only() || (all_finite(u, m * u_cols) && all_finite(vh, vh_rows * n));
  }
};

// LAPACK's own workspace queries wrap in 32 bits, so these are the documented minima, in 64 bits, and room for blocks
// of 64 columns on top where it fits.
struct WorkSize {
  std::int64_t least, best;
  std::int64_t length() const { return std::min(best, lapack_int_max); }
  bool fits() const { return least <= lapack_int_max; }
};

WorkSize gesdd_work(std::int64_t m, std::int64_t n, Vectors vectors) {
  const std::int64_t mn = std::min(m, n), mx = std::max(m, n), blocks = 64 * (mn + mx);
  const bool qr_first = 6 * mx >= 11 * mn;  // ?gesdd then keeps one more mn x mn matrix
  const std::int64_t squares = vectors == Vectors::none ? 0 : (qr_first ? 4 : 3) * mn * mn;
  const std::int64_t least = squares + 10 * mn + mx;
  return {least, least + blocks};
}

WorkSize gesvd_work(std::int64_t m, std::int64_t n) {
  const std::int64_t mn = std::min(m, n), mx = std::max(m, n);
  const std::int64_t least = std::max(3 * mn + mx, 5 * mn);
  return {least, least + 2 * mn * mn + 64 * (mn + mx)};
}

WorkSize gejsv_work(std::int64_t tall, std::int64_t n) {
  const std::int64_t least = std::max<std::int64_t>({2 * tall + n, 6 * n + 2 * n * n, 7});
  return {least, least + 64 * (tall + n)};
}

WorkSize work_size(Driver driver, std::int64_t m, std::int64_t n, Vectors vectors) {
  switch (driver) {
    case Driver::gesvd:
    case Driver::gesvd_scaled: return gesvd_work(m, n);
    case Driver::gejsv: return gejsv_work(std::max(m, n), std::min(m, n));
    default: return gesdd_work(m, n, vectors);
  }
}

// A copy whose columns, where they have scales, are scaled relative to the largest scale.
template <class T>
bool gather(const Item<T>& item, T* x) {
  if (!gather_finite(item.job.a, item.i, x, item.status)) return false;
  if (item.scales)
    for (std::int64_t e = 0; e < item.m * item.n; ++e) x[e] = std::ldexp(x[e], item.scales[e % item.n] - item.top());
  return true;
}

// The sum of products of long vectors, in short sums.
template <class T>
double long_dot(const T* x, const T* y, std::int64_t n) {
  constexpr std::int64_t stretch = 512;
  double sum = 0;
  for (std::int64_t r = 0; r < n; r += stretch) sum += dot(x + r, y + r, std::min(stretch, n - r));
  return sum;
}

// Whether the n vectors, each `size` elements behind the last, are orthonormal as docs/numerics.md promises of LAPACK.
template <class T>
bool orthonormal(const T* x, std::int64_t size, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i, look_up())
    for (std::int64_t j = 0; j <= i; ++j) {
      const double d = long_dot(x + i * size, x + j * size, size) - (i == j ? 1 : 0);
      sum += (i == j ? 1 : 2) * d * d;
    }
  const double most = (40 + static_cast<double>(size) / 4) * std::numeric_limits<T>::epsilon();
  return sum <= most * most * static_cast<double>(n);
}

// For the tests: turns the last of the vectors towards the first.
template <class T>
void skew(T* x, std::int64_t size, std::int64_t n) {
  for (std::int64_t r = 0; r < size; ++r) x[r + (n - 1) * size] += x[r] / 64;
}

// Scales x to a largest element in [1/2, 1); x = 2^exponent * what it becomes.
template <class T>
int take_exponent(T* x, std::int64_t n) {
  T largest = 0;
  for (std::int64_t j = 0; j < n; ++j) largest = std::max(largest, std::abs(x[j]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  const PowerOfTwo<T> scale(-exponent);
  for (std::int64_t j = 0; j < n; ++j) x[j] = scale * x[j];
  return exponent;
}

// A routine of LAPACK that may take long. Nothing can stop it, so that it writes to memory of its own: that of the item is
// its owner's, who may end meanwhile.
template <class T, class Routine>
lapack_int run_apart(const Item<T>& item, const Routine& routine) {
  using W = Workspace;
  constexpr double long_flops = 1e9;
  if (!current_task() || item.job.flops() < long_flops) return routine(item.s, item.u, item.vh);
  const std::int64_t u_size = item.values_only() ? 0 : item.m * item.u_cols;
  const std::int64_t vh_size = item.values_only() ? 0 : item.vh_rows * item.n;
  W ws(W::bytes_for<T>(item.p) + W::bytes_for<T>(u_size) + W::bytes_for<T>(vh_size));
  T *s = ws.template take<T>(item.p), *u = ws.template take<T>(u_size), *vh = ws.template take<T>(vh_size);
  const lapack_int info = apart([&] { return routine(s, u, vh); });
  std::copy_n(s, item.p, item.s), std::copy_n(u, u_size, item.u), std::copy_n(vh, vh_size, item.vh);
  return info;
}

template <class T>
lapack_int run_gesdd(const Item<T>& item) {
  using W = Workspace;
  const WorkSize size = gesdd_work(item.m, item.n, item.job.vectors);
  const std::int64_t n_iwork = 8 * item.p;
  W ws(W::bytes_for<T>(item.m * item.n) + W::bytes_for<T>(size.length()) + W::bytes_for<lapack_int>(n_iwork));
  T* x = ws.template take<T>(item.m * item.n);
  if (!gather(item, x)) return 0;
  T* work = ws.template take<T>(size.length());
  lapack_int* iwork = ws.template take<lapack_int>(n_iwork);
  return run_apart(item, [&](T* s, T* u, T* vh) {
    return lapack::gesdd(item.jobz(), item.x_rows(), item.x_cols(), x, s, vh, item.ld_vh(), u, item.ld_u(), work,
                         size.length(), iwork);
  });
}

template <class T>
lapack_int run_gesvd(const Item<T>& item, bool scaled) {
  using W = Workspace;
  const WorkSize size = gesvd_work(item.m, item.n);
  W ws(W::bytes_for<T>(item.m * item.n) + W::bytes_for<T>(size.length()));
  T* x = ws.template take<T>(item.m * item.n);
  if (!gather(item, x)) return 0;
  const int exponent = scaled ? take_exponent(x, item.m * item.n) : 0;
  T* work = ws.template take<T>(size.length());
  const lapack_int info = run_apart(item, [&](T* s, T* u, T* vh) {
    return lapack::gesvd(item.jobz(), item.x_rows(), item.x_cols(), x, s, vh, item.ld_vh(), u, item.ld_u(), work,
                         size.length());
  });
  for (std::int64_t j = 0; j < item.p; ++j) item.s[j] = std::ldexp(item.s[j], exponent);
  return info;
}

// ?gejsv wants a tall matrix and returns V, not its transpose. Tall is either a itself (column-major copy) or its
// transpose (the row-major copy as it lies), and its "U" and "V" are then U and V of a, or V and U. It is given the
// scaled matrix, because its vectors of a subnormal one are not orthonormal.
template <class T>
lapack_int run_gejsv(const Item<T>& item) {
  using W = Workspace;
  const bool wide = item.m < item.n;
  const std::int64_t tall = std::max(item.m, item.n), n = item.p, size = item.m * item.n;
  const WorkSize lwork = gejsv_work(tall, n);
  if (!lwork.fits()) return 1;
  const std::int64_t left_cols = item.job.vectors == Vectors::full ? tall : n;
  W ws(2 * W::bytes_for<T>(size) + W::bytes_for<T>(tall * left_cols) + W::bytes_for<T>(n * n) +
       W::bytes_for<T>(lwork.length()) + W::bytes_for<lapack_int>(tall + 3 * n) + W::bytes_for<T>(n));
  T* rows = ws.template take<T>(size);
  if (!gather(item, rows)) return 0;
  const int exponent = take_exponent(rows, size);
  T* x = ws.template take<T>(size);
  if (wide) std::copy_n(rows, size, x);
  else copy(rows, item.n, std::int64_t{1}, x, std::int64_t{1}, item.m, item.m, item.n);
  T* left = ws.template take<T>(tall * left_cols);
  T* right = ws.template take<T>(n * n);
  T* work = ws.template take<T>(lwork.length());
  lapack_int* iwork = ws.template take<lapack_int>(tall + 3 * n);
  const bool vectors = item.job.vectors != Vectors::none;
  const char jobu = !vectors ? 'N' : item.job.vectors == Vectors::full ? 'F' : 'U';
  T* s = ws.template take<T>(n);
  const lapack_int info = apart([&] {
    return lapack::gejsv(jobu, vectors ? 'V' : 'N', tall, n, x, s, left, right, work, lwork.length(), iwork);
  });
  if (info != 0) return info;
  const T scale = work[0] / work[1];
  std::transform(s, s + n, item.s, [&](T x) { return std::ldexp(x * scale, exponent); });
  if (!vectors) return 0;
  if (skewed(Side::left)) skew(left, tall, n);
  if (skewed(Side::right)) skew(right, n, n);
  // Of matrices without full rank it can answer with vectors that are not. Those behind the first n are columns of a
  // product of reflections.
  if (!orthonormal(left, tall, n) || !orthonormal(right, n, n)) return 1;
  T* long_side = wide ? item.vh : item.u;  // vectors of the longer dimension: left is tall x left_cols, column-major
  T* short_side = wide ? item.u : item.vh;
  const std::int64_t one = 1;
  if (wide) {
    copy(left, one, tall, long_side, one, tall, tall, left_cols);  // rows of Vh
    copy(right, one, n, short_side, n, one, n, n);                 // U as it is
  } else {
    copy(left, one, tall, long_side, left_cols, one, tall, left_cols);
    copy(right, one, n, short_side, one, n, n, n);  // Vh = V^T
  }
  return 0;
}

template <class T>
lapack_int run_jacobi(const Item<T>& item) {
  using W = Workspace;
  const std::int64_t one = 1, m = item.m, n = item.n;
  JacobiSvd<T> svd;
  svd.rows = m, svd.cols = n, svd.u_cols = item.u_cols, svd.v_cols = item.vh_rows, svd.s = item.s;
  const std::int64_t vectors = item.values_only() ? 0 : m * item.u_cols;
  W ws(2 * W::bytes_for<T>(m * n) + W::bytes_for<std::int32_t>(n) + W::bytes_for<T>(vectors) +
       W::bytes_for<T>(svd.work_size()) + W::bytes_for<std::int64_t>(svd.index_size()));
  T* rows = ws.template take<T>(m * n);
  if (!gather_finite(item.job.a, item.i, rows, item.status)) return 0;
  svd.c = ws.template take<T>(m * n);
  copy(rows, n, one, svd.c, one, m, m, n);
  svd.exponents = ws.template take<std::int32_t>(n);
  std::copy_n(item.scales, n, svd.exponents);
  if (!item.values_only()) svd.u = ws.template take<T>(vectors), svd.v = item.vh;
  svd.work = ws.template take<T>(svd.work_size());
  svd.index = ws.template take<std::int64_t>(svd.index_size());
  const lapack_int info = svd.run();
  if (info == 0 && !item.values_only()) copy(svd.u, one, m, item.u, item.u_cols, one, m, item.u_cols);
  return info;
}

template <class T>
void identity(T* x, std::int64_t rows, std::int64_t cols) {
  std::fill_n(x, rows * cols, T(0));
  for (std::int64_t j = 0; j < std::min(rows, cols); ++j) x[j * cols + j] = 1;
}

}  // namespace

template <class T>
void SvdLadder<T>::operator()(std::int64_t i) const {
  const Item<T> item(*this, i);
  item.status.set(Status::ok);
  if (item.p == 0) {  // LAPACK is not asked about empty matrices
    if (vectors != Vectors::none) identity(item.u, item.m, item.u_cols), identity(item.vh, item.vh_rows, item.n);
    item.status.driver = static_cast<double>(only.value_or(Driver::gesdd));
    return;
  }
  const WorkSize size = work_size(only.value_or(Driver::gesdd), item.m, item.n, vectors);
  if (std::max(item.m, item.n) > lapack_int_max || !size.fits()) {
    item.status.set(Status::too_large, static_cast<double>(size.least) * sizeof(T));
    return;
  }
  lapack_int info = 0;
  constexpr std::array rungs{Driver::jacobi, Driver::blocked,      Driver::gesdd,
                             Driver::gesvd,  Driver::gesvd_scaled, Driver::gejsv};
  const bool thin = vectors != Vectors::full || item.m == item.n;
  for (const Driver driver : rungs) {
    if (only && driver != *only) continue;
    if ((driver == Driver::jacobi && !scales) || (driver == Driver::blocked && !thin)) continue;
    switch (driver) {
      case Driver::jacobi: info = run_jacobi(item); break;
      case Driver::blocked: info = DenseSvd<T>{a, i, item.u, item.s, item.vh, &item.status}.run(); break;
      case Driver::gesdd: info = run_gesdd(item); break;
      case Driver::gesvd: info = run_gesvd(item, false); break;
      case Driver::gesvd_scaled: info = run_gesvd(item, true); break;
      case Driver::gejsv: info = run_gejsv(item); break;
    }
    if (item.status.code != Status::ok) return;
    if (info < 0) return item.status.set(Status::internal, info);
    if (faulty(driver)) info = 1;
    if (info == 0 && item.outputs_finite()) {
      if (scales && driver != Driver::jacobi)
        std::transform(item.s, item.s + item.p, item.s, [&](T s) { return std::ldexp(s, item.top()); });
      item.status.driver = static_cast<double>(driver);
      std::transform(item.s, item.s + item.p, item.s, [](T s) { return s + T(0); });  // LAPACK leaves -0 among them
      if (!all_finite(item.s, item.p)) item.status.set(Status::overflow);
      return;
    }
  }
  item.status.set(Status::no_convergence, info);
}

template <class T>
double SvdLadder<T>::flops() const {
  const double p = static_cast<double>(std::min(a.rows, a.cols)), q = static_cast<double>(std::max(a.rows, a.cols));
  return (vectors == Vectors::none ? 4 : 14) * p * p * q + 1e3;
}

template struct SvdLadder<float>;
template struct SvdLadder<double>;

}  // namespace fsvd
