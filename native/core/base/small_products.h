// Products of small matrices, which some builds of OpenBLAS compute without packing their operands first.
#pragma once
#include <cstdint>

namespace fsvd {

// OpenBLAS has such kernels for AVX-512. There, a large product of small matrices is faster in pieces, and a symmetric
// one in strips; with any other kernel both are slower.
// To be deleted when ?gemm and ?syrk choose them by themselves.
bool has_small_products();

// Up to so many multiplications they are taken, …
constexpr std::int64_t small_product = 1000000;
// … and where the longer dimension is a multiple of this they run at full speed.
constexpr std::int64_t small_product_step = 32;

}  // namespace fsvd
