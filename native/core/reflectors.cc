#include "reflectors.h"

#include <algorithm>

#include "task.h"

namespace fsvd {
namespace {

// Columns (or rows) of c that one thread takes: enough of them for the matrix products to be fast.
constexpr std::int64_t slice = 96;


template <class T>
struct Block {
  std::int64_t first, size, length;
  const T *v, *t;

  Block(const Reflectors<T>& q, std::int64_t b)
      : first(b * q.block()), size(std::min(q.block(), q.count - first)), length(q.length - first),
        v(q.v + first * (q.ld + 1)), t(q.t + b * q.block() * q.block()) {}
};

// All blocks, the last first, over each slice of the `others` columns or rows.
template <class T, class Apply>
void in_slices(Team& team, const Reflectors<T>& q, std::int64_t others, T* work, const Apply& apply) {
  team.each(parts_of(others, slice), [&](std::int64_t s) {
    const lapack_int n = narrow(std::min(slice, others - s * slice));
    for (std::int64_t b = q.blocks() - 1; b >= 0; --b, look_up())
      apply(s * slice, n, Block<T>(q, b), work + s * slice * q.block());
  });
}

}  // namespace

std::int64_t reflector_work(std::int64_t count, std::int64_t cols) {
  return parts_of(cols, slice) * slice * reflector_block(count);
}

template <class T>
void form_t(Team& team, const Reflectors<T>& q, const T* tau) {
  team.each(q.blocks(), [&](std::int64_t b) {
    const Block<T> block(q, b);
    lapack::larft(q.storage(), narrow(block.length), narrow(block.size), block.v, narrow(q.ld),
                  tau + block.first, const_cast<T*>(block.t), narrow(q.block()));
  });
}

template <class T>
Reflectors<T> qr_in_place(Team& team, T* a, std::int64_t ld, std::int64_t rows, std::int64_t cols, T* t, T* work) {
  const Reflectors<T> q{a, ld, rows, cols, false, t};
  for (std::int64_t b = 0; b < q.blocks(); ++b) {
    const Block<T> block(q, b);
    T* panel = const_cast<T*>(block.v);
    lapack::geqrt3(narrow(block.length), narrow(block.size), panel, narrow(ld), const_cast<T*>(block.t),
                   narrow(q.block()));
    const std::int64_t rest = cols - block.first - block.size;
    T* right = panel + block.size * ld;
    team.each(parts_of(rest, slice), [&](std::int64_t s) {
      const std::int64_t n = std::min(slice, rest - s * slice);
      lapack::larfb('L', 'T', 'C', narrow(block.length), narrow(n), narrow(block.size), block.v, narrow(ld), block.t,
                    narrow(q.block()), right + s * slice * ld, narrow(ld), work + s * slice * q.block(),
                    narrow(n));
    });
  }
  return q;
}

template <class T>
void multiply_left(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work) {
  in_slices(team, q, others, work, [&](std::int64_t first, lapack_int n, const Block<T>& b, T* own) {
    lapack::larfb('L', 'N', q.storage(), narrow(b.length), n, narrow(b.size), b.v, narrow(q.ld), b.t, narrow(q.block()),
                  c + first * ld + b.first, narrow(ld), own, n);
  });
}

template <class T>
void multiply_right(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work) {
  in_slices(team, q, others, work, [&](std::int64_t first, lapack_int n, const Block<T>& b, T* own) {
    lapack::larfb('R', 'T', q.storage(), n, narrow(b.length), narrow(b.size), b.v, narrow(q.ld), b.t, narrow(q.block()),
                  c + first + b.first * ld, narrow(ld), own, n);
  });
}

template void form_t(Team&, const Reflectors<float>&, const float*);
template void form_t(Team&, const Reflectors<double>&, const double*);
template Reflectors<float> qr_in_place(Team&, float*, std::int64_t, std::int64_t, std::int64_t, float*, float*);
template Reflectors<double> qr_in_place(Team&, double*, std::int64_t, std::int64_t, std::int64_t, double*, double*);
template void multiply_left(Team&, const Reflectors<float>&, float*, std::int64_t, std::int64_t, float*);
template void multiply_left(Team&, const Reflectors<double>&, double*, std::int64_t, std::int64_t, double*);
template void multiply_right(Team&, const Reflectors<float>&, float*, std::int64_t, std::int64_t, float*);
template void multiply_right(Team&, const Reflectors<double>&, double*, std::int64_t, std::int64_t, double*);

}  // namespace fsvd
