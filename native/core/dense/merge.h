// One step of divide and conquer: from the decompositions of two halves of a bidiagonal matrix to that of the whole.
#pragma once
#include <cstdint>

#include "divide.h"

namespace fsvd {

// A part of the bidiagonal matrix: rows first … first + n − 1, of one column more than rows where `extra` is 1. A node
// that is split has a left child, a row in the middle, and a right child.
struct Node {
  std::int64_t first, n, extra;
  std::int64_t left() const { return n / 2; }
  std::int64_t middle() const { return first + left(); }
  std::int64_t right() const { return n - left() - 1; }
  std::int64_t cols() const { return n + extra; }
};

// Decomposes a node whose children have been decomposed, in the steps of Gu and Eisenstat (divide.h):
//   1. z, the row between both children in the basis of their right vectors (merge_deflate.cc)
//   2. deflation: the singular values that stay as they are (merge_deflate.cc)
//   3. the secular equation of the small matrix that is left, and the z that belongs to its roots (merge_secular.cc)
//   4. the vectors of the small matrix, and the products of the children's with them (merge_vectors.cc)
//   5. the order of all values
// The children left their singular values in d and their vectors in u and vt, each in its place, and in `index` (from first
// on) the order that sorts the values of each child. Leaves the same of the node.
template <class T>
lapack_int merge(Team& team, const BidiagonalSvd<T>& b, const Node& node);

// Of `work` and, behind the n elements of the order, of `index`: what the nodes of any one depth need together.
constexpr std::int64_t merge_work(std::int64_t n) { return n * (4 * n + 8); }
constexpr std::int64_t merge_index(std::int64_t n) { return 4 * n; }

}  // namespace fsvd
