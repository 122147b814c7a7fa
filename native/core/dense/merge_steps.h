// The steps of a merge (merge.h), and what each of them hands on to the next.
#pragma once
#include <cstdint>

#include "core/base/memory.h"
#include "merge.h"

namespace fsvd {
namespace merging {

// A node, and what its children left in it: B_1 = U_1·diag(d_1)·V_1ᵀ above the middle row, B_2 = U_2·diag(d_2)·V_2ᵀ below.
// All indices count from the first row and column of the node.
template <class T>
struct Children {
  std::int64_t n, m, nl;   // rows; columns, n or n + 1; rows of the left child, so that row nl is the middle
  T* d;                    // [n]: d_1, the middle, d_2
  T* u;                    // n x n: U_1 and U_2 on the diagonal; null where left vectors are not wanted
  T* vt;                   // m x m: V_1ᵀ and V_2ᵀ on the diagonal
  std::int64_t ldu, ldvt;  // leading dimensions
  std::int64_t* order;     // [n]: sorts d_1 and, behind the middle, d_2, each counted from where it begins
  T alpha, beta;           // the middle row of B: its elements in columns nl and nl + 1

  bool has_extra() const { return m > n; }
  T* u_at(std::int64_t r, std::int64_t c) const { return u + r + c * ldu; }
  T* vt_at(std::int64_t r, std::int64_t c) const { return vt + r + c * ldvt; }
};

// 1. The middle row in the basis of the children's right vectors: with D = diag(d_1, 0, d_2), B is orthogonally equivalent
//    to D whose middle row is zᵀ. Where there is an extra column, one of both null vectors is turned away from z.
template <class T>
struct Middle {
  T* z;          // [m]
  T tolerance;   // changes of this size are not seen in the result; 0: all of B is zero
  int exponent;  // 2^exponent is about the largest element
};
template <class T>
Middle<T> form_z(const Children<T>& node, T* z);

// 2. Singular values that stay as they are: where the element of z is negligible, or can be made so by turning the vectors
//    of two nearly equal values into each other.
//    Example, tolerance 0: d = (3 1 | 0 | 3 2) and z = (x 0 | x | x x) keep the middle, 2 and one of the 3: kept = (2, 4, 3),
//    followed by 1 and the other 3 that are deflated: (1, 0). half = (deflated, deflated, both, both, right).
enum Half : std::int64_t { left_half, both_halves, right_half, deflated };
struct Deflation {
  std::int64_t count;  // of those that are kept
  std::int64_t*
      kept;  // [n]: where in d they stand, the middle first, the others ascending; then the deflated, ascending
  std::int64_t* half;  // [n], by the place in d: the half of the node that the vectors live in, or `deflated`
};
template <class T>
Deflation deflate(const Children<T>& node, const Middle<T>& middle, std::int64_t* sorted, Deflation room);

// One singular value of the small matrix, a pole and the distance from there, and what d² − σ² is for each d: in double for
// float too, because the rounding errors of a product over all of them would add up.
struct Sigma {
  double origin, offset;
  double value() const { return origin + offset; }
  double difference(double d) const { return ((d - origin) - offset) * ((d + origin) + offset); }
};

// 3. The small matrix: diag(d) of what is kept, whose first row is norm·zᵀ; its singular values by the secular equation
//    (secular.h), and the z whose singular values are exactly the computed ones, so that the vectors which follow from it
//    are orthogonal. All of it is divided by 2^exponent, so that the numbers are around 1.
template <class T>
struct SmallMatrix {
  std::int64_t k;
  T *d, *z;  // [k]: 0 and then ascending; of length 1
  T norm;
  int exponent;
  Vector<double> exact;  // [3k]: origins and offsets of the singular values, and the refined z; empty where k is 1

  SmallMatrix(const Children<T>& node, const Middle<T>& middle, const Deflation& deflation, T* d, T* z);
  // The singular values into `sigma`; false where an iteration fails.
  bool solve(Team& team, T* sigma);
  void refine_z(Team& team);

  Sigma sigma(std::int64_t j) const { return {exact[j], exact[k + j]}; }
  const double* refined_z() const { return exact.data() + 2 * k; }
};

// 4. U and Vᵀ of the node: those of the children that are kept times the vectors of the small matrix, and behind them those
//    that are deflated. `place` has room for n indices, `space` for what stands behind 4n + m elements of merge_work.
template <class T>
void multiply_vectors(Team& team, const Children<T>& node, const Deflation& deflation, const SmallMatrix<T>& small,
                      std::int64_t* place, T* space);

}  // namespace merging
}  // namespace fsvd
