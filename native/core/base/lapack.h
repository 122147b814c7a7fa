// The BLAS and LAPACK routines this project calls, as overloads for float and double with sizes of 64 bits. Debian's
// OpenBLAS has no LAPACKE, so the Fortran symbols are declared here, with the lengths of their character arguments at the
// end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace fsvd {

using lapack_int = std::int32_t;
constexpr std::int64_t lapack_int_max = std::numeric_limits<lapack_int>::max();

// A size as Fortran takes it, by address, as long as the call lasts: the only place where sizes of 64 bits are narrowed. A
// kernel looks first whether its sizes fit, and says Status::too_large; one that gets here all the same ends its job.
class Narrow {
 public:
  explicit Narrow(std::int64_t n) : n_(static_cast<lapack_int>(n)) {
    if (n_ != n) throw std::length_error("a size does not fit the integers of LAPACK");
  }
  operator const lapack_int*() const { return &n_; }

 private:
  lapack_int n_;
};

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
  void prefix##larft_(const char* direct, const char* storev, const lapack_int* n, const lapack_int* k, const T* v,    \
                      const lapack_int* ldv, const T* tau, T* t, const lapack_int* ldt, std::size_t, std::size_t);     \
  void prefix##lasdq_(const char* uplo, const lapack_int* sqre, const lapack_int* n, const lapack_int* ncvt,           \
                      const lapack_int* nru, const lapack_int* ncc, T* d, T* e, T* vt, const lapack_int* ldvt, T* u,   \
                      const lapack_int* ldu, T* c, const lapack_int* ldc, T* work, lapack_int* info, std::size_t);     \
  void prefix##lasv2_(const T* f, const T* g, const T* h, T* low, T* high, T* sin_r, T* cos_r, T* sin_l, T* cos_l);    \
  void prefix##potrf_(const char* uplo, const lapack_int* n, T* a, const lapack_int* lda, lapack_int* info,            \
                      std::size_t);                                                                                    \
  }                                                                                                                    \
  namespace lapack {                                                                                                   \
  inline lapack_int gesdd(char jobz, std::int64_t m, std::int64_t n, T* a, T* s, T* u, std::int64_t ldu, T* vt,        \
                          std::int64_t ldvt, T* work, std::int64_t lwork, lapack_int* iwork) {                         \
    lapack_int info = 0;                                                                                               \
    prefix##gesdd_(&jobz, Narrow(m), Narrow(n), a, Narrow(m > 1 ? m : 1), s, u, Narrow(ldu), vt, Narrow(ldvt), work,   \
                   Narrow(lwork), iwork, &info, 1);                                                                    \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline lapack_int gesvd(char job, std::int64_t m, std::int64_t n, T* a, T* s, T* u, std::int64_t ldu, T* vt,         \
                          std::int64_t ldvt, T* work, std::int64_t lwork) {                                            \
    lapack_int info = 0;                                                                                               \
    prefix##gesvd_(&job, &job, Narrow(m), Narrow(n), a, Narrow(m > 1 ? m : 1), s, u, Narrow(ldu), vt, Narrow(ldvt),    \
                   work, Narrow(lwork), &info, 1, 1);                                                                  \
    return info;                                                                                                       \
  }                                                                                                                    \
  /* Jacobi SVD, tall (m >= n), full accuracy ('C'), range restricted ('R'); V is not transposed. */                   \
  inline lapack_int gejsv(char jobu, char jobv, std::int64_t m, std::int64_t n, T* a, T* sva, T* u, T* v, T* work,     \
                          std::int64_t lwork, lapack_int* iwork) {                                                     \
    lapack_int info = 0;                                                                                               \
    prefix##gejsv_("C", &jobu, &jobv, "R", "N", "N", Narrow(m), Narrow(n), a, Narrow(m), sva, u, Narrow(m), v,         \
                   Narrow(n > 1 ? n : 1), work, Narrow(lwork), iwork, &info, 1, 1, 1, 1, 1, 1);                        \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline lapack_int geev(std::int64_t n, T* a, T* wr, T* wi, T* work, std::int64_t lwork) {                            \
    lapack_int info = 0, one = 1;                                                                                      \
    prefix##geev_("N", "N", Narrow(n), a, Narrow(n), wr, wi, nullptr, &one, nullptr, &one, work, Narrow(lwork), &info, \
                  1, 1);                                                                                               \
    return info;                                                                                                       \
  }                                                                                                                    \
  inline void gemm(char transa, char transb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,      \
                   std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {                   \
    prefix##gemm_(&transa, &transb, Narrow(m), Narrow(n), Narrow(k), &alpha, a, Narrow(lda), b, Narrow(ldb), &beta, c, \
                  Narrow(ldc), 1, 1);                                                                                  \
  }                                                                                                                    \
  inline void syrk(char uplo, char trans, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t lda,       \
                   T beta, T* c, std::int64_t ldc) {                                                                   \
    prefix##syrk_(&uplo, &trans, Narrow(n), Narrow(k), &alpha, a, Narrow(lda), &beta, c, Narrow(ldc), 1, 1);           \
  }                                                                                                                    \
  inline void trsm(char side, char uplo, char trans, char diag, std::int64_t m, std::int64_t n, T alpha, const T* a,   \
                   std::int64_t lda, T* b, std::int64_t ldb) {                                                         \
    prefix##trsm_(&side, &uplo, &trans, &diag, Narrow(m), Narrow(n), &alpha, a, Narrow(lda), b, Narrow(ldb), 1, 1, 1,  \
                  1);                                                                                                  \
  }                                                                                                                    \
  inline void trmm(char side, char uplo, char trans, char diag, std::int64_t m, std::int64_t n, T alpha, const T* a,   \
                   std::int64_t lda, T* b, std::int64_t ldb) {                                                         \
    prefix##trmm_(&side, &uplo, &trans, &diag, Narrow(m), Narrow(n), &alpha, a, Narrow(lda), b, Narrow(ldb), 1, 1, 1,  \
                  1);                                                                                                  \
  }                                                                                                                    \
  inline void gemv(char trans, std::int64_t m, std::int64_t n, T alpha, const T* a, std::int64_t lda, const T* x,      \
                   std::int64_t incx, T beta, T* y, std::int64_t incy) {                                               \
    prefix##gemv_(&trans, Narrow(m), Narrow(n), &alpha, a, Narrow(lda), x, Narrow(incx), &beta, y, Narrow(incy), 1);   \
  }                                                                                                                    \
  /* Forward products of reflectors, stored by columns ('C') or by rows ('R'). */                                      \
  inline void larft(char storev, std::int64_t n, std::int64_t k, const T* v, std::int64_t ldv, const T* tau, T* t,     \
                    std::int64_t ldt) {                                                                                \
    prefix##larft_("F", &storev, Narrow(n), Narrow(k), v, Narrow(ldv), tau, t, Narrow(ldt), 1, 1);                     \
  }                                                                                                                    \
  /* SVD of an upper bidiagonal n x (n + sqre) matrix, ascending; u and vt are multiplied with its vectors. */         \
  inline lapack_int lasdq(std::int64_t sqre, std::int64_t n, std::int64_t ncvt, std::int64_t nru, T* d, T* e, T* vt,   \
                          std::int64_t ldvt, T* u, std::int64_t ldu, T* work) {                                        \
    lapack_int info = 0, none = 0, one = 1;                                                                            \
    T unused = 0;                                                                                                      \
    prefix##lasdq_("U", Narrow(sqre), Narrow(n), Narrow(ncvt), Narrow(nru), &none, d, e, vt, Narrow(ldvt), u,          \
                   Narrow(ldu), &unused, &one, work, &info, 1);                                                        \
    return info;                                                                                                       \
  }                                                                                                                    \
  /* SVD of (f, g; 0, h). */                                                                                           \
  inline void lasv2(T f, T g, T h, T& low, T& high, T& sin_r, T& cos_r, T& sin_l, T& cos_l) {                          \
    prefix##lasv2_(&f, &g, &h, &low, &high, &sin_r, &cos_r, &sin_l, &cos_l);                                           \
  }                                                                                                                    \
  inline lapack_int potrf(char uplo, std::int64_t n, T* a, std::int64_t lda) {                                         \
    lapack_int info = 0;                                                                                               \
    prefix##potrf_(&uplo, Narrow(n), a, Narrow(lda), &info, 1);                                                        \
    return info;                                                                                                       \
  }                                                                                                                    \
  }

FSVD_DECLARE(s, float)
FSVD_DECLARE(d, double)
#undef FSVD_DECLARE

}  // namespace fsvd
