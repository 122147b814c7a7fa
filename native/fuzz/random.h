// Random numbers, elements and matrices for core.cc, and how it says that something is wrong.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "core/batch.h"

namespace fsvd::fuzz {

inline std::mt19937_64 random_bits;
inline unsigned long seed, cases;

inline std::int64_t up_to(std::int64_t n) { return static_cast<std::int64_t>(random_bits() % (n + 1)); }

inline void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "%s (seed %lu, case %lu)\n", what, seed, cases);
  std::abort();
}

template <class T>
T element(int kind) {
  const T x = static_cast<T>(random_bits() >> 11) / static_cast<T>(1ull << 53) - T(0.5);
  using limits = std::numeric_limits<T>;
  switch (kind) {
    case 0: return x;
    case 1: return x * limits::max();
    case 2: return x * limits::denorm_min() * 100;
    case 3: return std::ldexp(x, static_cast<int>(up_to(200)) - 100);
    case 4: return up_to(1) ? T(0) : T(1);
    default: return up_to(40) ? x : up_to(1) ? limits::quiet_NaN() : limits::infinity();
  }
}

// A batch of random shape over memory of exactly the size that it reaches, so that a step outside is seen.
template <class T>
struct Random {
  std::vector<T> data;
  std::vector<double> offsets;
  Batch<const T> batch;
  bool finite = true;

  Random(std::int64_t rows, std::int64_t cols, std::int64_t count) : offsets(count) {
    const std::int64_t gap = up_to(3), down = up_to(1) ? cols + gap : 1, across = down == 1 ? rows + gap : 1;
    const bool repeated = up_to(7) == 0;
    const std::int64_t row_stride = repeated ? 0 : down, col_stride = across;
    const std::int64_t reach = rows && cols ? (rows - 1) * row_stride + (cols - 1) * col_stride + 1 : 0;
    data.resize(count * reach);
    const int kind = static_cast<int>(up_to(5));
    for (T& x : data) x = element<T>(kind);
    for (std::int64_t i = 0; i < count; ++i) offsets[i] = static_cast<double>(i * reach);
    batch = {data.data(), rows, cols, row_stride, col_stride, offsets.data(), count};
    for (std::int64_t i = 0; i < count; ++i)  // what lies between the elements does not count
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c)
          finite = finite && std::isfinite(batch.item(i)[r * row_stride + c * col_stride]);
  }
};

template <class T>
bool all_finite(const std::vector<T>& x) {
  for (const T v : x)
    if (!std::isfinite(v)) return false;
  return true;
}

inline bool fine(const std::vector<Status>& status) {
  for (const Status& s : status) {
    check(s.code >= Status::ok && s.code <= Status::too_large, "LAPACK refused its arguments");
    if (s.code != Status::ok) return false;
  }
  return true;
}

}  // namespace fsvd::fuzz
