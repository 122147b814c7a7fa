#include "blocked_svd.h"

#include <algorithm>

#include "bdsdc.h"
#include "bidiagonal.h"
#include "reflectors.h"
#include "task.h"

namespace fsvd {
namespace {

template <class T>
void upper_triangle(const T* a, std::int64_t ld, std::int64_t n, T* r) {
  for (std::int64_t c = 0; c < n; ++c) {
    std::copy_n(a + c * ld, c + 1, r + c * n);
    std::fill_n(r + c * n + c + 1, n - c - 1, T(0));
  }
}

template <class T>
void clear_rows(T* x, std::int64_t ld, std::int64_t first, std::int64_t end, std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c) std::fill_n(x + c * ld + first, end - first, T(0));
}

// When each of the steps has been done, as a share of the time that all take. The reduction is slow for its operations:
// half of them pass over the whole matrix.
struct Shares {
  double qr = 0, bidiagonal, divide = 1, back = 1;

  Shares(std::int64_t rows, std::int64_t cols, bool qr_first, bool vectors) {
    const double n = static_cast<double>(cols), m = static_cast<double>(rows), cube = n * n * n;
    const double first = qr_first ? 2 * m * n * n : 0, core = qr_first ? cube : m * n * n;
    const double merging = vectors ? 3 * cube : 0, multiplying = vectors ? 4 * core : 0;
    const double all = first + 8 * core + merging + multiplying + (vectors ? first : 0);
    qr = first / all, bidiagonal = (first + 8 * core) / all;
    divide = (first + 8 * core + merging) / all, back = (first + 8 * core + merging + multiplying) / all;
  }
};

}  // namespace

template <class T>
std::int64_t BlockedSvd<T>::work_size() const {
  const std::int64_t n = cols, square = qr_first() ? n * n : 0;
  Bidiagonalisation<T> b;
  b.rows = qr_first() ? n : rows, b.cols = n;
  const std::int64_t divide = left ? BidiagonalSvd<T>::work_size(n) : 4 * n;
  const std::int64_t scratch = std::max({b.work_size(), divide, reflector_work(n, n)});
  return 3 * n + 3 * Reflectors<T>::t_size(n) + square + scratch;
}

template <class T>
std::int64_t BlockedSvd<T>::index_size() const {
  return BidiagonalSvd<T>::index_size(cols);
}

template <class T>
lapack_int BlockedSvd<T>::run() const {
  const Shares until(rows, cols, qr_first(), left != nullptr);
  Team team(alone());
  const std::int64_t n = cols, t_size = Reflectors<T>::t_size(n);
  T *e = work, *tau_q = e + n, *tau_p = tau_q + n;
  T *t = tau_p + n, *t_q = t + t_size, *t_p = t_q + t_size;
  T *r = t_p + t_size, *scratch = r + (qr_first() ? n * n : 0);

  Bidiagonalisation<T> b;
  b.rows = b.ld = rows, b.cols = n, b.a = a;
  Reflectors<T> q;
  if (qr_first()) {
    q = qr_in_place(team, a, rows, rows, n, t, scratch);
    upper_triangle(a, rows, n, r);
    b.rows = b.ld = n, b.a = r;
  }
  b.d = s, b.e = e, b.tau_q = tau_q, b.tau_p = tau_p, b.work = scratch;
  advance(until.qr);
  {
    const Stage reducing(until.qr, until.bidiagonal);
    b.run(team);
  }

  if (!left) {
    const lapack_int info = lapack::lasdq(0, static_cast<lapack_int>(n), 0, 0, s, e, s, 1, s, 1, scratch);
    std::reverse(s, s + n);
    return info;
  }
  const Reflectors<T> q_b{b.a, b.ld, b.rows, n, false, t_q};
  const Reflectors<T> p_b{b.a + b.ld, b.ld, n - 1, n - 1, true, t_p};
  form_t(team, q_b, tau_q);
  form_t(team, p_b, tau_p);
  lapack_int info = 0;
  {
    const Stage dividing(until.bidiagonal, until.divide);
    info = BidiagonalSvd<T>{n, s, e, left, right_t, rows, n, scratch, index}.run(team);
  }
  if (info != 0) return info;
  clear_rows(left, rows, n, rows, n);
  multiply_left(team, q_b, left, rows, n, scratch);
  advance((until.divide + until.back) / 2);
  multiply_right(team, p_b, right_t + n, n, n, scratch);
  advance(until.back);
  if (qr_first()) multiply_left(team, q, left, rows, n, scratch);
  return 0;
}

template struct BlockedSvd<float>;
template struct BlockedSvd<double>;

}  // namespace fsvd
