// The secular equation of a rank-one modification, for divide and conquer.
#pragma once
#include <cstdint>

namespace fsvd {

// The singular values of [zᵀ; diag(0, d_1 … d_(k − 1))] without its first diagonal element, of norm rho: with
// 0 = d_0 < d_1 < …, ‖z‖ = 1 and no z_i = 0 they are the positive roots σ of
//     1/rho² + Σ z_i² / (d_i² − σ²) = 0,
// one between each two neighbours and one above. Root j comes as origin[j] + offset[j], one of the poles and its distance
// from there, for j from first to end − 1: so (d_i − origin) − offset and (d_i + origin) + offset are d_i − σ_j and
// d_i + σ_j with small relative errors, in double for either type. False when an iteration fails.
//
// Several roots advance side by side, so that the divisions, which take nearly all of the time, are made in vectors.
// (The rational interpolation with a fixed weight: R.-C. Li, LAPACK Working Note 89.)
//
// In place of ?lasd4, one root at a time: measured as a part of divide.h, and to be deleted with it.
template <class T>
bool secular_roots(std::int64_t k, const T* d, const T* z, T rho, std::int64_t first, std::int64_t end, double* origin,
                   double* offset);

}  // namespace fsvd
