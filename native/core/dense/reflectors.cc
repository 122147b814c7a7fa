#include "reflectors.h"

#include <algorithm>

#include "core/threads/task.h"

namespace fsvd {
namespace {

// Columns (or rows) of c that one thread takes: enough of them for the matrix products to be fast.
constexpr std::int64_t slice = 96;

// Terms that a matrix product adds up one after the other, and sums of them: many equal terms would add up equal errors.
constexpr std::int64_t terms = 128, sums = 8 * terms;

template <class T>
struct Block : ReflectorBlock<T> {
  std::int64_t first;
  T* factor;  // t

  Block(const Reflectors<T>& q, std::int64_t b) : first(b * q.block()) {
    this->size = std::min(q.block(), q.count - first), this->length = q.length - first, this->by_rows = q.by_rows;
    this->v = q.v + first * (q.ld + 1), this->ld = q.ld, this->t = factor = q.t + b * q.block() * q.block(),
    this->ldt = q.block();
  }
};

// w = sum over the parts of 0 … length − 1 of what add(part, length of it, beta, out) forms; `spare` is as large as w.
template <class T, class Add>
void add_in_parts(std::int64_t length, std::int64_t size, T* w, T* spare, const Add& add) {
  for (std::int64_t from = 0; from < length; from += sums) {
    T* sum = from == 0 ? w : spare;
    const std::int64_t to = std::min(length, from + sums);
    for (std::int64_t part = from; part < to; part += terms)
      add(part, std::min(terms, to - part), T(part > from ? 1 : 0), sum);
    if (from > 0) std::transform(spare, spare + size, w, w, [](T x, T y) { return y + x; });
  }
}

// w (k x n) = Vᵀ·c, V of k columns with ones on and zeros above the diagonal of its first k rows.
template <class T>
void project(std::int64_t length, std::int64_t k, const T* v, std::int64_t ld, const T* c, std::int64_t ldc,
             std::int64_t n, T* w, T* spare) {
  add_in_parts(length - k, k * n, w, spare, [&](std::int64_t from, std::int64_t rows, T beta, T* out) {
    lapack::gemm('T', 'N', k, n, rows, T(1), v + k + from, ld, c + k + from, ldc, beta, out, k);
  });
  if (length == k) std::fill_n(w, k * n, T(0));
  for (std::int64_t j = 0; j < n; ++j) std::copy_n(c + j * ldc, k, spare + j * k);
  lapack::trmm('L', 'L', 'T', 'U', k, n, T(1), v, ld, spare, k);
  std::transform(spare, spare + k * n, w, w, [](T x, T y) { return y + x; });
}

// c = (I − V·T·Vᵀ)·c, or with Tᵀ.
template <class T>
void reflect(char trans, std::int64_t length, std::int64_t k, const T* v, std::int64_t ld, const T* t, std::int64_t ldt,
             T* c, std::int64_t ldc, std::int64_t n, T* w) {
  if (n == 0) return;
  project(length, k, v, ld, c, ldc, n, w, w + k * n);
  lapack::trmm('L', 'U', trans, 'N', k, n, T(1), t, ldt, w, k);
  if (length > k) lapack::gemm('N', 'N', length - k, n, k, T(-1), v + k, ld, w, k, T(1), c + k, ldc);
  lapack::trmm('L', 'L', 'N', 'U', k, n, T(1), v, ld, w, k);
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = 0; i < k; ++i) c[i + j * ldc] -= w[i + j * k];
}

}  // namespace

template <class T>
void reflect_left(char trans, const ReflectorBlock<T>& b, T* c, std::int64_t ldc, std::int64_t n, T* w) {
  reflect(trans, b.length, b.size, b.v, b.ld, b.t, b.ldt, c, ldc, n, w);
}

template <class T>
void reflect_right(char trans, const ReflectorBlock<T>& b, T* c, std::int64_t ldc, std::int64_t n, T* w) {
  const std::int64_t k = b.size, rest = b.length - k, step = b.by_rows ? b.ld : 1;
  const char half = b.by_rows ? 'U' : 'L', to_v = b.by_rows ? 'T' : 'N', from_v = b.by_rows ? 'N' : 'T';
  T* spare = w + k * n;
  add_in_parts(rest, k * n, w, spare, [&](std::int64_t from, std::int64_t cols, T beta, T* out) {
    lapack::gemm('N', to_v, n, k, cols, T(1), c + (k + from) * ldc, ldc, b.v + (k + from) * step, b.ld, beta, out, n);
  });
  if (rest == 0) std::fill_n(w, k * n, T(0));
  for (std::int64_t j = 0; j < k; ++j) std::copy_n(c + j * ldc, n, spare + j * n);
  lapack::trmm('R', half, to_v, 'U', n, k, T(1), b.v, b.ld, spare, n);
  std::transform(spare, spare + k * n, w, w, [](T x, T y) { return y + x; });
  lapack::trmm('R', 'U', trans, 'N', n, k, T(1), b.t, b.ldt, w, n);
  if (rest > 0) lapack::gemm('N', from_v, n, rest, k, T(-1), w, n, b.v + k * step, b.ld, T(1), c + k * ldc, ldc);
  lapack::trmm('R', half, from_v, 'U', n, k, T(1), b.v, b.ld, w, n);
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t i = 0; i < n; ++i) c[i + j * ldc] -= w[i + j * n];
}

template <class T>
ReflectorBlock<T> panel_qr(std::int64_t rows, std::int64_t n, T* a, std::int64_t ld, T* t, std::int64_t ldt, T* work) {
  const ReflectorBlock<T> q{n, rows, false, a, ld, t, ldt};
  if (n == 1) {
    T squares = 0;
    for (std::int64_t r = 1; r < rows; r += sums) squares += sum_of_squares(a + r, std::min(sums, rows - r));
    const Reflector<T> h(a[0], squares);
    for (std::int64_t r = 1; r < rows; ++r) a[r] *= h.scale;
    a[0] = h.beta, t[0] = h.tau;
    return q;
  }
  const std::int64_t k = n / 2, rest = n - k;
  T *right = a + k * ld, *t_right = t + k * (ldt + 1), *corner = t + k * ldt;
  panel_qr(rows, k, a, ld, t, ldt, work);
  reflect('T', rows, k, a, ld, t, ldt, right, ld, rest, work);
  panel_qr(rows - k, rest, right + k, ld, t_right, ldt, work);
  // T of both halves: −T_1·(V_1ᵀ·V_2)·T_2 in the corner.
  T *w = work, *spare = w + k * rest;
  project(rows - k, rest, right + k, ld, a + k, ld, k, w, spare);  // V_2ᵀ·V_1
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t j = 0; j < rest; ++j) corner[i + j * ldt] = w[j + i * rest];
  lapack::trmm('L', 'U', 'N', 'N', k, rest, T(-1), t, ldt, corner, ldt);
  lapack::trmm('R', 'U', 'N', 'N', k, rest, T(1), t_right, ldt, corner, ldt);
  return q;
}

namespace {

// All blocks, the last first, over each slice of the `others` columns or rows.
template <class T, class Apply>
void in_slices(Team& team, const Reflectors<T>& q, std::int64_t others, T* work, const Apply& apply) {
  team.each(parts_of(others, slice), [&](std::int64_t s) {
    const std::int64_t n = std::min(slice, others - s * slice);
    for (std::int64_t b = q.blocks() - 1; b >= 0; --b, look_up())
      apply(s * slice, n, Block<T>(q, b), work + 2 * s * slice * q.block());
  });
}

}  // namespace

std::int64_t reflector_work(std::int64_t count, std::int64_t cols) {
  return 2 * std::max(parts_of(cols, slice) * slice, reflector_block(count)) * reflector_block(count);
}

template <class T>
void form_t(Team& team, const Reflectors<T>& q, const T* tau) {
  team.each(q.blocks(), [&](std::int64_t b) {
    const Block<T> block(q, b);
    lapack::larft(q.storage(), block.length, block.size, block.v, q.ld, tau + block.first, block.factor, q.block());
  });
}

template <class T>
Reflectors<T> qr_in_place(Team& team, T* a, std::int64_t ld, std::int64_t rows, std::int64_t cols, T* t, T* work) {
  const Reflectors<T> q{a, ld, rows, cols, false, t};
  for (std::int64_t b = 0; b < q.blocks(); ++b) {
    const Block<T> block(q, b);
    T* panel = a + block.first * (ld + 1);
    panel_qr(block.length, block.size, panel, ld, block.factor, block.ldt, work);
    const std::int64_t rest = cols - block.first - block.size;
    T* right = panel + block.size * ld;
    team.each(parts_of(rest, slice), [&](std::int64_t s) {
      const std::int64_t n = std::min(slice, rest - s * slice);
      reflect_left('T', block, right + s * slice * ld, ld, n, work + 2 * s * slice * block.ldt);
    });
  }
  return q;
}

template <class T>
void multiply_left(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work) {
  in_slices(team, q, others, work, [&](std::int64_t first, std::int64_t n, const Block<T>& b, T* own) {
    reflect_left('N', b, c + first * ld + b.first, ld, n, own);
  });
}

template <class T>
void multiply_right(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work) {
  in_slices(team, q, others, work, [&](std::int64_t first, std::int64_t n, const Block<T>& b, T* own) {
    reflect_right('T', b, c + first + b.first * ld, ld, n, own);
  });
}

template void reflect_left(char, const ReflectorBlock<float>&, float*, std::int64_t, std::int64_t, float*);
template void reflect_left(char, const ReflectorBlock<double>&, double*, std::int64_t, std::int64_t, double*);
template void reflect_right(char, const ReflectorBlock<float>&, float*, std::int64_t, std::int64_t, float*);
template void reflect_right(char, const ReflectorBlock<double>&, double*, std::int64_t, std::int64_t, double*);
template ReflectorBlock<float> panel_qr(std::int64_t, std::int64_t, float*, std::int64_t, float*, std::int64_t, float*);
template ReflectorBlock<double> panel_qr(std::int64_t, std::int64_t, double*, std::int64_t, double*, std::int64_t,
                                         double*);
template void form_t(Team&, const Reflectors<float>&, const float*);
template void form_t(Team&, const Reflectors<double>&, const double*);
template Reflectors<float> qr_in_place(Team&, float*, std::int64_t, std::int64_t, std::int64_t, float*, float*);
template Reflectors<double> qr_in_place(Team&, double*, std::int64_t, std::int64_t, std::int64_t, double*, double*);
template void multiply_left(Team&, const Reflectors<float>&, float*, std::int64_t, std::int64_t, float*);
template void multiply_left(Team&, const Reflectors<double>&, double*, std::int64_t, std::int64_t, double*);
template void multiply_right(Team&, const Reflectors<float>&, float*, std::int64_t, std::int64_t, float*);
template void multiply_right(Team&, const Reflectors<double>&, double*, std::int64_t, std::int64_t, double*);

}  // namespace fsvd
