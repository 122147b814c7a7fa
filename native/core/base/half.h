// Floating-point numbers of 16 bits, as they are stored. Every one of them is a float.
#pragma once
#include <cstdint>
#include <cstring>

namespace fsvd {

inline float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// The upper half of a float.
struct Bfloat16 {
  std::uint16_t bits;
  operator float() const { return float_of(static_cast<std::uint32_t>(bits) << 16); }
};

// IEEE 754 binary16. Without branches, so that a loop over many becomes vectors.
struct Float16 {
  std::uint16_t bits;
  operator float() const {
    const std::uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
    // Normal numbers, infinities and NaN: the exponent is raised so far that 31 becomes 255, then the rest taken back.
    const float normal = float_of((magnitude << 13) + (224u << 23)) * 0x1p-112f;
    // Subnormal ones and 0: multiples of 2^-24, put behind a leading 1/2.
    const float subnormal = float_of(magnitude | (126u << 23)) - 0.5f;
    return float_of(sign | bits_of(magnitude < (1u << 10) ? subnormal : normal));
  }
};

}  // namespace fsvd
