// Loops that are compiled twice: as the rest, and for processors with AVX2, whose vectors are twice as wide.
#pragma once
#include <cstring>

// Before a function. The dynamic linker picks the one to call, which needs glibc; the sanitizers run too late for it.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FSVD_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define FSVD_WIDE_VECTORS
#endif

namespace fsvd {

using Four = double __attribute__((vector_size(4 * sizeof(double))));

// A number or a vector from memory, and back. Vectors need not be aligned there.
template <class V>
inline __attribute__((always_inline)) void load(const double* x, V& v) {
  std::memcpy(&v, x, sizeof(V));
}
template <class V>
inline __attribute__((always_inline)) void store(const V& v, double* x) {
  std::memcpy(x, &v, sizeof(V));
}

}  // namespace fsvd
