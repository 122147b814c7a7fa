// Random numbers, elements and matrices for core.cc, and how it says that something is wrong.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/base/batch.h"
#include "fuzz/layout.h"

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

// A batch of random layout over memory of exactly the size that it reaches, so that a step outside is seen.
template <class T>
struct Random {
  Layout layout;
  std::vector<T> data;
  Batch<const T> batch;
  bool finite = true;  // what lies between the items does not count

  Random(std::int64_t rows, std::int64_t cols, std::int64_t count)
      : layout(rows, cols, count, Order::input, up_to), data(layout.length), batch(layout.of<const T>(data.data())) {
    const int kind = static_cast<int>(up_to(5));
    for (T& x : data) x = element<T>(kind);
    layout.each([&](std::int64_t at) { finite = finite && std::isfinite(data[at]); });
  }
};

// Room of random layout for the output of a kernel, which another may read.
template <class T>
struct Room {
  Layout layout;
  std::vector<T> data, before;

  // Without numbers at first.
  Room(std::int64_t rows, std::int64_t cols, std::int64_t count, Order order = Order::contiguous)
      : layout(rows, cols, count, order, up_to), data(layout.length, std::numeric_limits<T>::quiet_NaN()),
        before(data) {}

  Batch<T> out() { return layout.of(data.data()); }
  Batch<const T> in() const { return layout.of<const T>(data.data()); }

  // The elements of every item, row by row.
  std::vector<T> elements() const {
    std::vector<T> all;
    layout.each([&](std::int64_t at) { all.push_back(data[at]); });
    return all;
  }

  // After the kernel: what is no element is as it was.
  void check_rest(const char* what) const {
    std::vector<bool> element(data.size());
    layout.each([&](std::int64_t at) { element[at] = true; });
    for (std::size_t at = 0; at < data.size(); ++at)
      check(element[at] || std::memcmp(&data[at], &before[at], sizeof(T)) == 0, what);
  }
};

// Whether two kernels, or one twice, gave the same elements; what is no number counts as the same.
template <class T>
bool same(const std::vector<T>& x, const std::vector<T>& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](T a, T b) { return a == b || (std::isnan(a) && std::isnan(b)); });
}

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
