#include <algorithm>
#include <cmath>

#include "core/base/arithmetic.h"
#include "core/base/wide_vectors.h"
#include "merge_steps.h"

namespace fsvd {
namespace merging {
namespace {

constexpr std::int64_t together = 16;  // vectors of the small matrix that one thread computes at a time
constexpr std::int64_t tile = 192;     // of the products with them
constexpr std::int64_t line = 64;      // columns, where they are only copied

template <class T>
FSVD_WIDE_VECTORS void quotients(std::int64_t n, const double* z, const T* d, Sigma sigma, double* x) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = z[i] / sigma.difference(d[i]);
}

// Scales x by a power of two, so that squares of its largest elements are representable, and returns its length then.
FSVD_WIDE_VECTORS double length(std::int64_t n, double* x) {
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  const PowerOfTwo<double> scale(-exponent);
  for (std::int64_t i = 0; i < n; ++i) x[i] = scale * x[i];
  return std::sqrt(sum_of_squares(x, n));
}

// out = op(a)·b, of rows x cols, in tiles.
template <class T>
void product(Team& team, char op, std::int64_t rows, std::int64_t cols, std::int64_t inner, const T* a,
             std::int64_t lda, const T* b, std::int64_t ldb, T* out, std::int64_t ld) {
  const std::int64_t down = parts_of(rows, tile), across = parts_of(cols, tile);
  team.each(down * across, [&](std::int64_t p) {
    const std::int64_t r = p % down * tile, nr = std::min(tile, rows - r);
    const std::int64_t c = p / down * tile, nc = std::min(tile, cols - c);
    T* to = out + r + c * ld;
    if (inner > 0) {
      lapack::gemm(op, 'N', nr, nc, inner, T(1), op == 'N' ? a + r : a + r * lda, lda, b + c * ldb, ldb, T(0), to, ld);
    } else {
      for (std::int64_t x = 0; x < nc; ++x) std::fill_n(to + x * ld, nr, T(0));
    }
  });
}

// The vectors of the children, packed: those that are kept in three groups by the half that they live in, left, both (the
// middle first), right, so that a product with the rows of one half passes over no zeros; the deflated as they are.
template <class T>
struct Packed {
  std::int64_t lefts = 0, upper = 0, lower = 0;  // vectors of the first group, of the first two, of the last two
  std::int64_t* place;                           // [k]: of each in that order
  T *u_upper, *u_lower;                          // nl x upper and (n − nl) x lower: their rows in either half
  T *vt_left, *vt_right;                         // upper x (nl + 1) and lower x (m − nl − 1): their columns
  T *u_rest, *vt_rest;                           // n x (n − k) and (n − k) x m: deflated
  T *q, *w;                                      // k x k: left and right vectors of the small matrix, rows by `place`

  Packed(const Children<T>& node, const Deflation& deflation, std::int64_t* place, T* space) : place(place) {
    const std::int64_t n = node.n, m = node.m, nl = node.nl, k = deflation.count;
    const auto half = [&](std::int64_t j) { return deflation.half[deflation.kept[j]]; };
    std::int64_t group[4] = {0, 0, 0, 0};
    for (std::int64_t j = 0; j < k; ++j) ++group[half(j)];
    lefts = group[left_half], upper = lefts + group[both_halves], lower = group[both_halves] + group[right_half];
    std::int64_t next[3] = {0, lefts, upper};
    for (std::int64_t j = 0; j < k; ++j) place[j] = next[half(j)]++;
    u_upper = space;
    u_lower = u_upper + nl * upper;
    vt_left = u_lower + (n - nl) * lower;
    vt_right = vt_left + upper * (nl + 1);
    u_rest = vt_right + lower * (m - nl - 1);
    vt_rest = u_rest + n * (n - k);
    q = vt_rest + m * (n - k);
    w = q + k * k;
  }

  // Vector x of U.
  void take_left(const Children<T>& node, const Deflation& deflation, std::int64_t x) const {
    const std::int64_t k = deflation.count, nl = node.nl, lower_rows = node.n - nl;
    if (x < k) {
      const std::int64_t c = deflation.kept[x], at = place[x];
      if (at < upper) std::copy_n(node.u_at(0, c), nl, u_upper + at * nl);
      if (at >= lefts) std::copy_n(node.u_at(nl, c), lower_rows, u_lower + (at - lefts) * lower_rows);
    } else if (x < node.n) {
      std::copy_n(node.u_at(0, deflation.kept[x]), node.n, u_rest + (x - k) * node.n);
    }
  }
  // Column x of Vᵀ.
  void take_right(const Children<T>& node, const Deflation& deflation, std::int64_t x) const {
    const std::int64_t k = deflation.count, nl = node.nl, *kept = deflation.kept;
    T* to = x <= nl ? vt_left + x * upper : vt_right + (x - nl - 1) * lower - lefts;
    for (std::int64_t j = 0; j < k; ++j) {
      const bool lives_here = x <= nl ? place[j] < upper : place[j] >= lefts;
      if (lives_here) to[place[j]] = *node.vt_at(kept[j], x);
    }
    T* rest = vt_rest + x * (node.n - k);
    for (std::int64_t j = k; j < node.n; ++j) rest[j - k] = *node.vt_at(kept[j], x);
  }
};

// q and w.
template <class T>
void small_vectors(Team& team, const SmallMatrix<T>& small, bool left_too, const Packed<T>& packed) {
  const std::int64_t k = small.k;
  if (k == 1) {
    *packed.q = std::copysign(T(1), small.z[0]), *packed.w = 1;
    return;
  }
  const auto place = [&](Vector<double>& x, T* column) {
    const double scale = 1 / length(k, x.data());
    for (std::int64_t i = 0; i < k; ++i) column[packed.place[i]] = static_cast<T>(x[i] * scale);
  };
  team.each(parts_of(k, together), [&](std::int64_t p) {
    Vector<double> left(k), right(k);
    for (std::int64_t j = p * together; j < std::min(k, (p + 1) * together); ++j) {
      quotients(k, small.refined_z(), small.d, small.sigma(j), right.data());
      for (std::int64_t i = 0; i < k; ++i) left[i] = small.d[i] * right[i];
      left[0] = -1;
      place(right, packed.w + j * k);
      if (left_too) place(left, packed.q + j * k);
    }
  });
}

}  // namespace

template <class T>
void multiply_vectors(Team& team, const Children<T>& node, const Deflation& deflation, const SmallMatrix<T>& small,
                      std::int64_t* place, T* space) {
  const std::int64_t n = node.n, m = node.m, nl = node.nl, nr = n - nl, right = m - nl - 1, k = small.k;
  const Packed<T> packed(node, deflation, place, space);
  const std::int64_t lefts = packed.lefts, upper = packed.upper, lower = packed.lower;
  team.each(parts_of(m, line), [&](std::int64_t p) {
    for (std::int64_t x = p * line; x < std::min(m, (p + 1) * line); ++x) {
      if (node.u) packed.take_left(node, deflation, x);
      packed.take_right(node, deflation, x);
    }
  });
  small_vectors(team, small, node.u != nullptr, packed);
  const T *q = packed.q, *w = packed.w;
  if (node.u) {
    product(team, 'N', nl, k, upper, packed.u_upper, nl, q, k, node.u_at(0, 0), node.ldu);
    product(team, 'N', nr, k, lower, packed.u_lower, nr, q + lefts, k, node.u_at(nl, 0), node.ldu);
    for (std::int64_t j = k; j < n; ++j) std::copy_n(packed.u_rest + (j - k) * n, n, node.u_at(0, j));
  }
  product(team, 'T', k, nl + 1, upper, w, k, packed.vt_left, upper, node.vt_at(0, 0), node.ldvt);
  product(team, 'T', k, right, lower, w + lefts, k, packed.vt_right, lower, node.vt_at(0, nl + 1), node.ldvt);
  for (std::int64_t x = 0; x < m; ++x) std::copy_n(packed.vt_rest + x * (n - k), n - k, node.vt_at(k, x));
}

template void multiply_vectors(Team&, const Children<float>&, const Deflation&, const SmallMatrix<float>&,
                               std::int64_t*, float*);
template void multiply_vectors(Team&, const Children<double>&, const Deflation&, const SmallMatrix<double>&,
                               std::int64_t*, double*);

}  // namespace merging
}  // namespace fsvd
