#include "blocked.h"

#include <algorithm>

#include "bidiagonal_qr.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"
#include "divide.h"
#include "reduce.h"
#include "reflectors.h"
#include "two_stage.h"

namespace fsvd {
namespace {

template <class T>
lapack_int values_alone(std::int64_t n, T* s, const T* e) {
  Workspace ws(Workspace::bytes_for<double>(2 * n + values_work(n)));
  double *d = ws.take<double>(2 * n + values_work(n)), *above = d + n;
  std::copy_n(s, n, d), std::copy_n(e, n - 1, above);
  if (!bidiagonal_values(n, d, above, above + n)) return 1;
  std::transform(d, d + n, s, [](double x) { return static_cast<T>(x); });
  return 0;
}

// When each of the steps has been done, as a share of the time that all take. The reduction is slow for its operations:
// half of them pass over the whole matrix.
struct Shares {
  double bidiagonal, divide;

  Shares(std::int64_t rows, std::int64_t cols, bool vectors) {
    const double n = static_cast<double>(cols), core = static_cast<double>(rows) * n * n;
    const double merging = vectors ? 3 * n * n * n : 0, all = 8 * core + merging + (vectors ? 4 * core : 0);
    bidiagonal = 8 * core / all, divide = (8 * core + merging) / all;
  }
};

}  // namespace

template <class T>
std::int64_t BlockedSvd<T>::work_size(bool vectors) const {
  const std::int64_t n = cols;
  Bidiagonalisation<T> b;
  b.rows = rows, b.cols = n;
  if (!vectors && n >= least_two_stage) return n + TwoStageReduction<T>::work_size(rows, n);
  const std::int64_t divide = vectors ? BidiagonalSvd<T>::work_size(n) : 0;
  return 3 * n + 2 * Reflectors<T>::t_size(n) + std::max({b.work_size(), divide, reflector_work(n, n)});
}

template <class T>
std::int64_t BlockedSvd<T>::index_size() const {
  return BidiagonalSvd<T>::index_size(cols);
}

template <class T>
lapack_int BlockedSvd<T>::run(Team& team) const {
  const std::int64_t n = cols, t_size = Reflectors<T>::t_size(n);
  if (!left && n >= least_two_stage) {
    TwoStageReduction<T>{rows, n, a, s, work, work + n}.run(team);
    return values_alone(n, s, work);
  }
  T *e = work, *tau_q = e + n, *tau_p = tau_q + n;
  T *t_q = tau_p + n, *t_p = t_q + t_size, *scratch = t_p + t_size;

  Bidiagonalisation<T> b;
  b.rows = b.ld = rows, b.cols = n, b.a = a;
  b.d = s, b.e = e, b.tau_q = tau_q, b.tau_p = tau_p, b.work = scratch;
  const Shares until(rows, n, left != nullptr);
  {  // 3
    const Stage reducing(0, until.bidiagonal);
    b.run(team);
  }
  if (!left) return values_alone(n, s, e);  // 4

  const Reflectors<T> q{a, rows, rows, n, false, t_q};
  const Reflectors<T> p{a + rows, rows, n - 1, n - 1, true, t_p};
  form_t(team, q, tau_q);
  form_t(team, p, tau_p);
  lapack_int info = 0;
  {  // 4
    const Stage dividing(until.bidiagonal, until.divide);
    info = BidiagonalSvd<T>{n, s, e, left, right_t, rows, n, scratch, index}.run(team);
  }
  if (info != 0) return info;
  // 5
  for (std::int64_t c = 0; c < n; ++c) std::fill_n(left + c * rows + n, rows - n, T(0));
  multiply_left(team, q, left, rows, n, scratch);
  advance((until.divide + 1) / 2);
  multiply_right(team, p, right_t + n, n, n, scratch);
  return 0;
}

template struct BlockedSvd<float>;
template struct BlockedSvd<double>;

}  // namespace fsvd
