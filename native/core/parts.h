// Rows or columns cut into parts of one size, of which the last may be smaller.
#pragma once
#include <cstdint>

namespace fsvd {

constexpr std::int64_t parts_of(std::int64_t n, std::int64_t size) { return (n + size - 1) / size; }

}  // namespace fsvd
