// Householder reflectors: one; and products of many in blocks, on several threads: what ?ormqr and ?ormlq do, with each
// block's triangular factor formed once.
//
// In place of ?ormqr and ?ormlq from narrow_cols columns on. The time of ?ormqr over this one's, the triangular factors
// formed too (measured as in dense.h): 1.1 at order 64, 1.4 at 128, 1.1 at 256, 1.2 at 512. To be deleted when they
// share a matrix among threads with the same bits for any number of them, and add up short sums.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/base/arithmetic.h"
#include "core/base/lapack.h"
#include "core/threads/team.h"

namespace fsvd {

// H = I − tau·v·vᵀ that maps x to beta·e_0, where v = (x − beta·e_0)·scale has v_0 = 1. The elements of x must not be
// far from 1: what is below 1e-146 (3e-16 in float) counts as zero.
template <class T>
struct Reflector {
  T beta, tau = 0, scale = 0;

  // x_0, and the sum of the squares of the others
  Reflector(T first, T squares) : beta(first) {
    if (squares <= std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon()) return;
    beta = -std::copysign(std::sqrt(first * first + squares), first);
    tau = (beta - first) / beta;
    scale = 1 / (first - beta);
  }

  // The product (X·v)_i from (X·x)_i and X_i0.
  T product(T with_x, T with_first) const { return (with_x - beta * with_first) * scale; }
};

// I − V·T·Vᵀ: V (length x size) has ones on and zeros above its diagonal, which are not read; or Vᵀ is given.
template <class T>
struct ReflectorBlock {
  std::int64_t size = 0, length = 0;
  bool by_rows = false;
  const T* v = nullptr;
  std::int64_t ld = 0;
  const T* t = nullptr;  // upper triangular
  std::int64_t ldt = 0;
};

// a (rows x n, rows >= n) = Q·R, by halves as ?geqrt3: R in its upper triangle, V below and T in t. `work`: 2·n·n.
template <class T>
ReflectorBlock<T> panel_qr(std::int64_t rows, std::int64_t n, T* a, std::int64_t ld, T* t, std::int64_t ldt, T* work);

// c = (I − V·T·Vᵀ)·c of n columns, or with Tᵀ; c = c·(I − V·T·Vᵀ) of n rows. `work`: 2·size·n.
template <class T>
void reflect_left(char trans, const ReflectorBlock<T>& q, T* c, std::int64_t ld, std::int64_t n, T* work);
template <class T>
void reflect_right(char trans, const ReflectorBlock<T>& q, T* c, std::int64_t ld, std::int64_t n, T* work);

// Reflectors that are applied together: the cost of their triangular factors grows with them, that of passing over the
// matrix falls.
constexpr std::int64_t reflector_block(std::int64_t count) { return count < 192 ? 8 : 48; }

// Q = H_0·H_1 … H_(count − 1) of order `length`. By columns, H_j is given by column j of v below its diagonal, as ?geqrf
// and ?gebrd leave it; by rows, by row j to the right of its diagonal. `t` holds the triangular factor of every block.
template <class T>
struct Reflectors {
  const T* v = nullptr;
  std::int64_t ld = 0, length = 0, count = 0;
  bool by_rows = false;
  T* t = nullptr;

  char storage() const { return by_rows ? 'R' : 'C'; }  // as LAPACK says it
  std::int64_t block() const { return reflector_block(count); }
  std::int64_t blocks() const { return parts_of(count, block()); }
  static std::int64_t t_size(std::int64_t count) { return (count + reflector_block(count)) * reflector_block(count); }
};

// Fills t from the scalars that came with the reflectors.
template <class T>
void form_t(Team& team, const Reflectors<T>& q, const T* tau);

// a = Q·R: R in the upper triangle of a, Q below it and in t. rows >= cols.
template <class T>
Reflectors<T> qr_in_place(Team& team, T* a, std::int64_t ld, std::int64_t rows, std::int64_t cols, T* t, T* work);

// c = Q·c, where c is length x others.
template <class T>
void multiply_left(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work);
// c = c·Qᵀ, where c is others x length.
template <class T>
void multiply_right(Team& team, const Reflectors<T>& q, T* c, std::int64_t ld, std::int64_t others, T* work);

// Elements of `work` for the functions above.
std::int64_t reflector_work(std::int64_t count, std::int64_t cols);

}  // namespace fsvd
