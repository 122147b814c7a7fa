#include "reflectors.h"

#include <algorithm>

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

}  // namespace

std::int64_t reflector_work(std::int64_t count, std::int64_t cols) {
  return parts_of(cols, slice) * slice * reflector_block(count);
}

template <class T>
void form_t(Team& team, const Reflectors<T>& q, const T* tau) {
  team.each(q.blocks(), [&](std::int64_t b) {
    const Block<T> block(q, b);
    lapack::larft(q.by_rows ? 'R' : 'C', narrow(block.length), narrow(block.size), block.v, narrow(q.ld),
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
void multiply(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t cols, T* work) {
  team.each(parts_of(cols, slice), [&](std::int64_t s) {
    const std::int64_t n = std::min(slice, cols - s * slice);
    T* own_work = work + s * slice * q.block();
    for (std::int64_t b = q.blocks() - 1; b >= 0; --b) {
      const Block<T> block(q, b);
      const lapack_int length = narrow(block.length), size = narrow(block.size), others = narrow(n);
      if (q.by_rows) {
        lapack::larfb('R', 'T', 'R', others, length, size, block.v, narrow(q.ld), block.t, narrow(q.block()),
                      c + s * slice + block.first * ld, narrow(ld), own_work, others);
      } else {
        lapack::larfb('L', 'N', 'C', length, others, size, block.v, narrow(q.ld), block.t, narrow(q.block()),
                      c + s * slice * ld + block.first, narrow(ld), own_work, others);
      }
    }
  });
}

template void form_t(Team&, const Reflectors<float>&, const float*);
template void form_t(Team&, const Reflectors<double>&, const double*);
template Reflectors<float> qr_in_place(Team&, float*, std::int64_t, std::int64_t, std::int64_t, float*, float*);
template Reflectors<double> qr_in_place(Team&, double*, std::int64_t, std::int64_t, std::int64_t, double*, double*);
template void multiply(Team&, const Reflectors<float>&, float*, std::int64_t, std::int64_t, float*);
template void multiply(Team&, const Reflectors<double>&, double*, std::int64_t, std::int64_t, double*);

}  // namespace fsvd
