// Loops that are compiled twice: as the rest, and for processors with AVX2, whose vectors are twice as wide.
#pragma once

// Before a function. The dynamic linker picks the one to call, which needs glibc; the sanitizers run too late for it.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define FSVD_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define FSVD_WIDE_VECTORS
#endif
