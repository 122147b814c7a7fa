// The BLAS and LAPACK routines this project calls, as overloads for float and double. Debian's OpenBLAS has no
// LAPACKE, so the Fortran symbols are declared here, with the lengths of their character arguments at the end.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fsvd {

using lapack_int = std::int32_t;

// For dimensions that have been checked.
constexpr lapack_int narrow(std::int64_t n) { return static_cast<lapack_int>(n); }

#define FSVD_DECLARE(prefix, T)                                                                                        \
  extern "C" {                                                                                                         \
  void prefix##gesdd_(const char* jobz, const lapack_int* m, const lapack_int* n, T* a, const lapack_int* lda, T* s,   \
                      T* u, const lapack_int* ldu, T* vt, const lapack_int* ldvt, T* work, const lapack_int* lwork,    \
                      lapack_int* iwork, lapack_int* info, std::size_t);                                               \
  void prefix##gesvd_(const char* jobu, const char* jobvt, const lapack_int* m, const lapack_int* n, T* a,             \
                      const lapack_int* lda, T* s, T* u, const lapack_int* ldu, T* vt, const lapack_int* ldvt,         \
                      T* work, const lapack_int* lwork, lapack_int* info, std::size_t, std::size_t);                   \
  void prefix##gejsv_(const char* joba, const char* jobu, const char* jobv, const char* jobr, const char* jobt,        \
                      const char* jobp, const lapack_int* m, const lapack_int* n, T* a, const lapack_int* lda, T* sva, \
                      T* u, const lapack_int* ldu, T* v, const lapack_int* ldv, T* work, const lapack_int* lwork,      \
                      lapack_int* iwork, lapack_int* info, std::size_t, std::size_t, std::size_t, std::size_t,         \
                      std::size_t, std::size_t);                                                                       \
  void prefix##geqrf_(const lapack_int* m, const lapack_int* n, T* a, const lapack_int* lda, T* tau, T* work,          \
                      const lapack_int* lwork, lapack_int* info);                                                      \
  void prefix##geev_(const char* jobvl, const char* jobvr, const lapack_int* n, T* a, const lapack_int* lda, T* wr,    \
                     T* wi, T* vl, const lapack_int* ldvl, T* vr, const lapack_int* ldvr, T* work,                     \
                     const lapack_int* lwork, lapack_int* info, std::size_t, std::size_t);                             \
  void prefix##gemm_(const char* transa, const char* transb, const lapack_int* m, const lapack_int* n,                 \
                     const lapack_int* k, const T* alpha, const T* a, const lapack_int* lda, const T* b,               \
                     const lapack_int* ldb, const T* beta, T* c, const lapack_int* ldc, std::size_t, std::size_t);     \
  void prefix##syrk_(const char* uplo, const char* trans, const lapack_int* n, const lapack_int* k, const T* alpha,    \
                     const T* a, const lapack_int* lda, const T* beta, T* c, const lapack_int* ldc, std::size_t,       \
                     std::size_t);                                                                                     \
  void prefix##trsm_(const char* side, const char* uplo, const char* transa, const char* diag, const lapack_int* m,    \
                     const lapack_int* n, const T* alpha, const T* a, const lapack_int* lda, T* b,                     \
                     const lapack_int* ldb, std::size_t, std::size_t, std::size_t, std::size_t);                       \
  void prefix##trmm_(const char* side, const char* uplo, const char* transa, const char* diag, const lapack_int* m,    \
                     const lapack_int* n, const T* alpha, const T* a, const lapack_int* lda, T* b,                     \
                     const lapack_int* ldb, std::size_t, std::size_t, std::size_t, std::size_t);                       \
  void prefix##gemv_(const char* trans, const lapack_int* m, const lapack_int* n, const T* alpha, const T* a,          \
                     const lapack_int* lda, const T* x, const lapack_int* incx, const T* beta, T* y,                   \
                     const lapack_int* incy, std::size_t);                                                             \
  void prefix##geqrt3_(const lapack_int* m, const lapack_int* n, T* a, const lapack_int* lda, T* t,                    \
                       const lapack_int* ldt, lapack_int* info);                                                       \
  void prefix##larft_(const char* direct, const char* storev, const lapack_int* n, const lapack_int* k, const T* v,    \
                      const lapack_int* ldv, const T* tau, T* t, const lapack_int* ldt, std::size_t, std::size_t);     \
  void prefix##larfb_(const char* side, const char* trans, const char* direct, const char* storev,                     \
                      const lapack_int* m, const lapack_int* n, const lapack_int* k, const T* v,                       \
                      const lapack_int* ldv, const T* t, const lapack_int* ldt, T* c, const lapack_int* ldc, T* work,  \
                      const lapack_int* ldwork, std::size_t, std::size_t, std::size_t, std::size_t);                   \
  void prefix##lasdq_(const char* uplo, const lapack_int* sqre, const lapack_int* n, const lapack_int* ncvt,           \
                      const lapack_int* nru, const lapack_int* ncc, T* d, T* e, T* vt, const lapack_int* ldvt, T* u,   \
                      const lapack_int* ldu, T* c, const lapack_int* ldc, T* work, lapack_int* info, std::size_t);     \
  void prefix##lasv2_(const T* f, const T* g, const T* h, T* low, T* high, T* sin_r, T* cos_r, T* sin_l, T* cos_l);    \
  void prefix##potrf_(const char* uplo, const lapack_int* n, T* a, const lapack_int* lda, lapack_int* info,            \
                      std::size_t);                                                                                    \
  }                                                                                                                    \
  namespace lapack {                                                                                                   \
  inline lapack_int gesdd(char jobz, lapack_int m, lapack_int n, T* a, T* s, T* u, lapack_int ldu, T* vt,              \
                          lapack_int ldvt, T* work, lapack_int lwork, lapack_int* iwork) {                             \
    lapack_int info = 0, lda = m > 1 ? m : 1;                                                                          \
    prefix##gesdd_(&jobz, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, iwork, &info, 1);                      \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline lapack_int gesvd(char job, lapack_int m, lapack_int n, T* a, T* s, T* u, lapack_int ldu, T* vt,               \
                          lapack_int ldvt, T* work, lapack_int lwork) {                                                \
    lapack_int info = 0, lda = m > 1 ? m : 1;                                                                          \
    prefix##gesvd_(&job, &job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, &info, 1, 1);                     \
    return info;                                                                                                       \
  }                                                                                                                    \
  /* Jacobi SVD, tall (m >= n), full accuracy ('C'), range restricted ('R'); V is not transposed. */                   \
  inline lapack_int gejsv(char jobu, char jobv, lapack_int m, lapack_int n, T* a, T* sva, T* u, T* v, T* work,         \
                          lapack_int lwork, lapack_int* iwork) {                                                       \
    lapack_int info = 0, ldv = n > 1 ? n : 1;                                                                          \
    prefix##gejsv_("C", &jobu, &jobv, "R", "N", "N", &m, &n, a, &m, sva, u, &m, v, &ldv, work, &lwork, iwork, &info,   \
                   1, 1, 1, 1, 1, 1);                                                                                  \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline lapack_int geqrf(lapack_int m, lapack_int n, T* a, lapack_int lda, T* tau, T* work, lapack_int lwork) {       \
    lapack_int info = 0;                                                                                               \
    prefix##geqrf_(&m, &n, a, &lda, tau, work, &lwork, &info);                                                         \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline lapack_int geev(lapack_int n, T* a, T* wr, T* wi, T* work, lapack_int lwork) {                                \
    lapack_int info = 0, one = 1;                                                                                      \
    prefix##geev_("N", "N", &n, a, &n, wr, wi, nullptr, &one, nullptr, &one, work, &lwork, &info, 1, 1);               \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline void gemm(char transa, char transb, lapack_int m, lapack_int n, lapack_int k, T alpha, const T* a,            \
                   lapack_int lda, const T* b, lapack_int ldb, T beta, T* c, lapack_int ldc) {                         \
    prefix##gemm_(&transa, &transb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, 1, 1);                       \
  }                                                                                                                    \
  inline void syrk(char uplo, char trans, lapack_int n, lapack_int k, T alpha, const T* a, lapack_int lda, T beta,     \
                   T* c, lapack_int ldc) {                                                                             \
    prefix##syrk_(&uplo, &trans, &n, &k, &alpha, a, &lda, &beta, c, &ldc, 1, 1);                                       \
  }                                                                                                                    \
  inline void trsm(char side, char uplo, char trans, char diag, lapack_int m, lapack_int n, T alpha, const T* a,       \
                   lapack_int lda, T* b, lapack_int ldb) {                                                             \
    prefix##trsm_(&side, &uplo, &trans, &diag, &m, &n, &alpha, a, &lda, b, &ldb, 1, 1, 1, 1);                          \
  }                                                                                                                    \
  inline void trmm(char side, char uplo, char trans, char diag, lapack_int m, lapack_int n, T alpha, const T* a,       \
                   lapack_int lda, T* b, lapack_int ldb) {                                                             \
    prefix##trmm_(&side, &uplo, &trans, &diag, &m, &n, &alpha, a, &lda, b, &ldb, 1, 1, 1, 1);                          \
  }                                                                                                                    \
  inline void gemv(char trans, lapack_int m, lapack_int n, T alpha, const T* a, lapack_int lda, const T* x,            \
                   lapack_int incx, T beta, T* y, lapack_int incy) {                                                   \
    prefix##gemv_(&trans, &m, &n, &alpha, a, &lda, x, &incx, &beta, y, &incy, 1);                                      \
  }                                                                                                                    \
  /* Recursive QR of a panel, m >= n; T of the block reflector in t. */                                                \
  inline lapack_int geqrt3(lapack_int m, lapack_int n, T* a, lapack_int lda, T* t, lapack_int ldt) {                   \
    lapack_int info = 0;                                                                                               \
    prefix##geqrt3_(&m, &n, a, &lda, t, &ldt, &info);                                                                  \
    return info;                                                                                                       \
  }                                                                                                                    \
  /* Forward products of reflectors, stored by columns ('C') or by rows ('R'). */                                      \
  inline void larft(char storev, lapack_int n, lapack_int k, const T* v, lapack_int ldv, const T* tau, T* t,           \
                    lapack_int ldt) {                                                                                  \
    prefix##larft_("F", &storev, &n, &k, v, &ldv, tau, t, &ldt, 1, 1);                                                 \
  }                                                                                                                    \
  inline void larfb(char side, char trans, char storev, lapack_int m, lapack_int n, lapack_int k, const T* v,          \
                    lapack_int ldv, const T* t, lapack_int ldt, T* c, lapack_int ldc, T* work, lapack_int ldwork) {    \
    prefix##larfb_(&side, &trans, "F", &storev, &m, &n, &k, v, &ldv, t, &ldt, c, &ldc, work, &ldwork, 1, 1, 1, 1);     \
  }                                                                                                                    \
  /* SVD of an upper bidiagonal n x (n + sqre) matrix, ascending; u and vt are multiplied with its vectors. */         \
  inline lapack_int lasdq(lapack_int sqre, lapack_int n, lapack_int ncvt, lapack_int nru, T* d, T* e, T* vt,           \
                          lapack_int ldvt, T* u, lapack_int ldu, T* work) {                                            \
    lapack_int info = 0, none = 0, one = 1;                                                                            \
    T unused = 0;                                                                                                      \
    prefix##lasdq_("U", &sqre, &n, &ncvt, &nru, &none, d, e, vt, &ldvt, u, &ldu, &unused, &one, work, &info, 1);       \
    return info;                                                                                                       \
  }                                                                                                                    \
  /* SVD of (f, g; 0, h). */                                                                                           \
  inline void lasv2(T f, T g, T h, T& low, T& high, T& sin_r, T& cos_r, T& sin_l, T& cos_l) {                          \
    prefix##lasv2_(&f, &g, &h, &low, &high, &sin_r, &cos_r, &sin_l, &cos_l);                                           \
  }                                                                                                                    \
  inline lapack_int potrf(char uplo, lapack_int n, T* a, lapack_int lda) {                                             \
    lapack_int info = 0;                                                                                               \
    prefix##potrf_(&uplo, &n, a, &lda, &info, 1);                                                                      \
    return info;                                                                                                       \
  }                                                                                                                    \
  }

FSVD_DECLARE(s, float)
FSVD_DECLARE(d, double)
#undef FSVD_DECLARE

}  // namespace fsvd
