// One Householder reflector.
#pragma once
#include <cmath>
#include <limits>

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

}  // namespace fsvd
