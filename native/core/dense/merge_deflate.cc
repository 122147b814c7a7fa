#include <algorithm>
#include <cmath>
#include <limits>

#include "merge_steps.h"

namespace fsvd {
namespace merging {
namespace {

// (p, q) = (c·p + s·q, c·q − s·p)
template <class T>
void rotate_rows_of_vt(const Children<T>& node, std::int64_t p, std::int64_t q, T c, T s) {
  for (std::int64_t j = 0; j < node.m; ++j) {
    T &x = *node.vt_at(p, j), &y = *node.vt_at(q, j);
    const T old = x;
    x = c * old + s * y, y = c * y - s * old;
  }
}

template <class T>
void rotate_columns_of_u(const Children<T>& node, std::int64_t p, std::int64_t q, T c, T s) {
  if (!node.u) return;
  T *x = node.u_at(0, p), *y = node.u_at(0, q);
  for (std::int64_t r = 0; r < node.n; ++r) {
    const T old = x[r];
    x[r] = c * old + s * y[r], y[r] = c * y[r] - s * old;
  }
}

// The children wrote their diagonal blocks; the middle column of U is a unit vector.
template <class T>
void fill_between(const Children<T>& node) {
  const std::int64_t n = node.n, m = node.m, nl = node.nl;
  if (node.u) {
    for (std::int64_t c = 0; c < nl; ++c) std::fill_n(node.u_at(nl, c), n - nl, T(0));
    std::fill_n(node.u_at(0, nl), n, T(0)), *node.u_at(nl, nl) = 1;
    for (std::int64_t c = nl + 1; c < n; ++c) std::fill_n(node.u_at(0, c), nl + 1, T(0));
  }
  for (std::int64_t c = 0; c <= nl; ++c) std::fill_n(node.vt_at(nl + 1, c), m - nl - 1, T(0));
  for (std::int64_t c = nl + 1; c < m; ++c) std::fill_n(node.vt_at(0, c), nl + 1, T(0));
}

}  // namespace

template <class T>
Middle<T> form_z(const Children<T>& node, T* z) {
  const std::int64_t n = node.n, nl = node.nl;
  fill_between(node);
  for (std::int64_t r = 0; r <= nl; ++r) z[r] = node.alpha * *node.vt_at(r, nl);
  for (std::int64_t r = nl + 1; r < node.m; ++r) z[r] = node.beta * *node.vt_at(r, nl + 1);
  T largest = std::max(std::abs(node.alpha), std::abs(node.beta));
  for (std::int64_t c = 0; c < n; ++c)
    if (c != nl) largest = std::max(largest, node.d[c]);
  Middle<T> middle{z, 0, 0};
  if (largest == 0) return middle;
  const T eps = std::numeric_limits<T>::epsilon(), scale = std::max(largest, std::numeric_limits<T>::min() / eps);
  // ?bdsdc takes 4·eps·scale: of n singular values that are all changed by that much the squares add up.
  middle.tolerance = 4 * eps * scale / std::sqrt(static_cast<T>(n));
  std::frexp(scale, &middle.exponent);
  T first = z[nl];
  if (node.has_extra()) {
    const T r = std::hypot(z[nl], z[n]);
    if (r > middle.tolerance) rotate_rows_of_vt(node, nl, n, z[nl] / r, z[n] / r);
    first = r;
  }
  z[nl] = std::abs(first) <= middle.tolerance ? middle.tolerance : first;
  node.d[nl] = 0;
  return middle;
}

template <class T>
Deflation deflate(const Children<T>& node, const Middle<T>& middle, std::int64_t* sorted, Deflation room) {
  const std::int64_t n = node.n, nl = node.nl;
  const T* d = node.d;
  T* z = middle.z;
  std::int64_t &count = room.count, *kept = room.kept, *half = room.half;
  const auto ascending = [d](std::int64_t x, std::int64_t y) { return d[x] < d[y]; };
  for (std::int64_t j = nl + 1; j < n; ++j) node.order[j] += nl + 1;
  const std::int64_t* end =
      std::merge(node.order, node.order + nl, node.order + nl + 1, node.order + n, sorted, ascending);
  for (std::int64_t c = 0; c < n; ++c) half[c] = c < nl ? left_half : right_half;
  half[nl] = both_halves;
  kept[0] = nl, count = 1;
  std::int64_t last = -1;
  for (const std::int64_t* p = sorted; p != end; ++p) {
    const std::int64_t c = *p;
    if (std::abs(z[c]) <= middle.tolerance) {
      half[c] = deflated;
      continue;
    }
    if (last >= 0 && d[c] - d[last] <= middle.tolerance) {
      const T r = std::hypot(z[c], z[last]), cosine = z[c] / r, sine = -z[last] / r;
      rotate_columns_of_u(node, last, c, cosine, sine);
      rotate_rows_of_vt(node, last, c, cosine, sine);
      z[c] = r, z[last] = 0;
      if (half[c] != half[last]) half[c] = both_halves;
      half[last] = deflated;
    } else if (last >= 0) {
      kept[count++] = last;
    }
    last = c;
  }
  if (last >= 0) kept[count++] = last;
  std::int64_t* all =
      std::copy_if(sorted, sorted + n - 1, kept + count, [half](std::int64_t c) { return half[c] == deflated; });
  std::stable_sort(kept + count, all, ascending);
  return room;
}

template Middle<float> form_z(const Children<float>&, float*);
template Middle<double> form_z(const Children<double>&, double*);
template Deflation deflate(const Children<float>&, const Middle<float>&, std::int64_t*, Deflation);
template Deflation deflate(const Children<double>&, const Middle<double>&, std::int64_t*, Deflation);

}  // namespace merging
}  // namespace fsvd
