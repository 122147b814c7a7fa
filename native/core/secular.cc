#include "secular.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fsvd {
namespace {

constexpr int lanes = 8;
constexpr int most_steps = 100;

template <class T>
using Lanes = T[lanes];

// With μ = σ² − o² for a pole o near σ, d_i² − σ² = (d_i − o)·(d_i + o) − μ has no cancellation.
template <class T>
struct Values {
  Lanes<T> f, slope, size;  // the function, its derivative by μ, and the sum of the magnitudes of its terms
};

template <class T>
Values<T> evaluate(std::int64_t k, const T* d, const T* z, const Lanes<T>& origin, const Lanes<T>& mu) {
  Values<T> v = {};
  for (std::int64_t i = 0; i < k; ++i) {
    const T d_i = d[i], z_i = z[i];
#pragma GCC unroll 1  // so that GCC sees a loop to make vectors of
    for (int l = 0; l < lanes; ++l) {
      const T t = z_i / ((d_i - origin[l]) * (d_i + origin[l]) - mu[l]);
      v.f[l] += z_i * t, v.slope[l] += t * t, v.size[l] += std::abs(z_i * t);
    }
  }
  return v;
}

// One root: its nearest pole (the origin) and the other pole of the interpolation, and a bracket, all in terms of μ.
template <class T>
struct Root {
  T origin, weight;  // weight: z² there
  T other;           // d² − origin² of the other pole
  T low, high, mu;
  bool last, done = false;

  // The pole next to which the interval begins, and where it ends.
  static T inside(T x, T low, T high) {
    if (x > low && x < high) return x;
    if (low > 0 || high < 0) return std::copysign(std::sqrt(low * high), low + high);
    return (low + high) / 64;  // one end is the origin itself, and the root may be very near it
  }
};

// Where root j begins: from the value f of the function in the middle of its interval, in terms of the pole below.
template <class T>
Root<T> interior(const T* d, const T* z, std::int64_t j, T f) {
  const T gap = (d[j + 1] - d[j]) * (d[j + 1] + d[j]), below = z[j] * z[j], above = z[j + 1] * z[j + 1];
  const T c = f + (below - above) / (gap / 2);  // what all other poles contribute there
  Root<T> root;
  root.last = false;
  if (f > 0) {
    const T a = c * gap + below + above, b = below * gap, q = std::sqrt(std::abs(a * a - 4 * b * c));
    root = {d[j], below, gap, 0, gap / 2, a > 0 ? 2 * b / (a + q) : (a - q) / (2 * c), false};
  } else {
    const T a = c * gap - below - above, b = above * gap, q = std::sqrt(std::abs(a * a + 4 * b * c));
    root = {d[j + 1], above, -gap, -gap / 2, 0, a < 0 ? 2 * b / (a - q) : -(a + q) / (2 * c), false};
  }
  root.mu = Root<T>::inside(root.mu, root.low, root.high);
  return root;
}

// The same for the root above all poles, from the value at half of the interval, which ends at d² + rho².
template <class T>
Root<T> uppermost(std::int64_t k, const T* d, const T* z, T length, T f) {
  const std::int64_t j = k - 1;
  const T gap = (d[j] - d[j - 1]) * (d[j] + d[j - 1]), below = z[j - 1] * z[j - 1], weight = z[j] * z[j];
  const T half = length / 2, c = f + below / (gap + half) + weight / half;
  const T a = -c * gap + below + weight, b = weight * gap, q = std::sqrt(std::abs(a * a + 4 * b * c));
  const T guess = a < 0 ? 2 * b / (q - a) : (a + q) / (2 * c);
  const T low = f > 0 ? 0 : half, high = f > 0 ? half : length * (1 + 4 * std::numeric_limits<T>::epsilon());
  return {d[j], weight, -gap, low, high, Root<T>::inside(guess, low, high), true};
}

// The next μ from the values there.
template <class T>
void advance(Root<T>& r, T f, T slope, T error) {
  if (r.done) return;
  if (std::abs(f) <= error) return r.done = true, void();
  (f < 0 ? r.low : r.high) = r.mu;
  const T here = -r.mu, there = r.other - r.mu, near = r.weight / (here * here);
  const T c = f - there * slope + r.other * near, a = (here + there) * f - here * there * slope, b = here * there * f;
  const T q = std::sqrt(std::abs(a * a - 4 * b * c));
  T step = r.last ? (a >= 0 ? (a + q) / (2 * c) : 2 * b / (a - q)) : (a <= 0 ? (a - q) / (2 * c) : 2 * b / (a + q));
  if (!(f * step < 0)) step = -f / slope;
  const T next = Root<T>::inside(r.mu + step, r.low, r.high);
  r.done = std::abs(next - r.mu) <= std::numeric_limits<T>::epsilon() * std::abs(r.mu);
  r.mu = next;
}

}  // namespace

template <class T>
bool secular_roots(std::int64_t k, const T* d, const T* z, T rho, std::int64_t first, std::int64_t end, T* sigma,
                   T* minus, T* plus) {
  const T length = rho * rho, constant = 1 / length, eps = std::numeric_limits<T>::epsilon() / 2;
  for (std::int64_t from = first; from < end; from += lanes) {
    const int n = static_cast<int>(std::min<std::int64_t>(lanes, end - from));
    Lanes<T> origin, mu;
    const auto root_of = [&](int l) { return from + std::min(l, n - 1); };  // the last lanes may repeat a root
    for (int l = 0; l < lanes; ++l) {
      const std::int64_t j = root_of(l);
      origin[l] = d[j];
      mu[l] = (j + 1 < k ? (d[j + 1] - d[j]) * (d[j + 1] + d[j]) : length) / 2;
    }
    const Values<T> middle = evaluate(k, d, z, origin, mu);
    Root<T> roots[lanes];
    for (int l = 0; l < lanes; ++l) {
      const std::int64_t j = root_of(l);
      roots[l] = j + 1 < k ? interior(d, z, j, constant + middle.f[l])
                           : uppermost(k, d, z, length, constant + middle.f[l]);
      origin[l] = roots[l].origin;
    }
    int step = 0;
    for (bool all = false; !all && step < most_steps; ++step) {
      for (int l = 0; l < lanes; ++l) mu[l] = roots[l].mu;
      const Values<T> v = evaluate(k, d, z, origin, mu);
      all = true;
      for (int l = 0; l < lanes; ++l) {
        advance(roots[l], constant + v.f[l], v.slope[l], eps * (8 * v.size[l] + constant));
        all = all && roots[l].done;
      }
    }
    if (step == most_steps) return false;
    for (int l = 0; l < n; ++l) {
      const std::int64_t j = from + l;
      const T o = roots[l].origin, tau = roots[l].mu / (o + std::sqrt(o * o + roots[l].mu));
      sigma[j] = o + tau;
      for (std::int64_t i = 0; i < k; ++i) {
        minus[i + j * k] = (d[i] - o) - tau;
        plus[i + j * k] = (d[i] + o) + tau;
      }
    }
  }
  return true;
}

template bool secular_roots(std::int64_t, const float*, const float*, float, std::int64_t, std::int64_t, float*,
                            float*, float*);
template bool secular_roots(std::int64_t, const double*, const double*, double, std::int64_t, std::int64_t, double*,
                            double*, double*);

}  // namespace fsvd
