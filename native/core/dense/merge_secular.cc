#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/base/arithmetic.h"
#include "core/base/wide_vectors.h"
#include "merge_steps.h"
#include "secular.h"

namespace fsvd {
namespace merging {
namespace {

constexpr std::int64_t roots = 16;     // that one thread computes at a time
constexpr std::int64_t elements = 64;  // of z

// product[i] *= (d_i² − σ²) / (d_i² − other²)
template <class T>
FSVD_WIDE_VECTORS void multiply_ratios(std::int64_t n, const T* d, Sigma sigma, double other, double* product) {
  for (std::int64_t i = 0; i < n; ++i) product[i] *= sigma.difference(d[i]) / ((d[i] - other) * (d[i] + other));
}

}  // namespace

template <class T>
SmallMatrix<T>::SmallMatrix(const Children<T>& node, const Middle<T>& middle, const Deflation& deflation, T* d, T* z)
    : k(deflation.count), d(d), z(z), exponent(middle.exponent) {
  const PowerOfTwo<T> scale(-exponent);
  for (std::int64_t j = 0; j < k; ++j) {
    const std::int64_t c = deflation.kept[j];
    d[j] = scale * node.d[c], z[j] = scale * middle.z[c];
  }
  if (k > 1) d[1] = std::max(d[1], scale * middle.tolerance / 2);
  norm = std::sqrt(sum_of_squares(z, k));
  for (std::int64_t j = 0; j < k; ++j) z[j] /= norm;
}

template <class T>
bool SmallMatrix<T>::solve(Team& team, T* sigmas) {
  const PowerOfTwo<T> scale(exponent);
  if (k == 1) {
    sigmas[0] = scale * norm;
    return true;
  }
  exact.resize(static_cast<std::size_t>(3 * k));
  std::atomic<bool> fine{true};
  team.each(parts_of(k, roots), [&](std::int64_t p) {
    const std::int64_t first = p * roots, end = std::min(k, first + roots);
    if (!secular_roots(k, d, z, norm, first, end, exact.data(), exact.data() + k)) fine = false;
  });
  for (std::int64_t j = 0; j < k; ++j) sigmas[j] = scale * static_cast<T>(sigma(j).value());
  return fine;
}

template <class T>
void SmallMatrix<T>::refine_z(Team& team) {
  if (k == 1) return;
  team.each(parts_of(k, elements), [&](std::int64_t p) {
    const std::int64_t from = p * elements, to = std::min(k, from + elements);
    double* product = exact.data() + 2 * k + from;
    for (std::int64_t i = from; i < to; ++i) product[i - from] = sigma(k - 1).difference(d[i]);
    for (std::int64_t j = 0; j < k - 1; ++j) {
      // Singular value j lies between d_j and d_(j + 1): d_i is paired with the one of them that is not itself.
      const std::int64_t split = std::clamp(j + 1, from, to);
      multiply_ratios(split - from, d + from, sigma(j), d[j + 1], product);
      multiply_ratios(to - split, d + split, sigma(j), d[j], product + (split - from));
    }
    for (std::int64_t i = from; i < to; ++i)
      product[i - from] = std::copysign(std::sqrt(std::abs(product[i - from])), static_cast<double>(z[i]));
  });
}

template struct SmallMatrix<float>;
template struct SmallMatrix<double>;

}  // namespace merging
}  // namespace fsvd
