#include "merge.h"

#include <algorithm>
#include <numeric>

#include "merge_steps.h"

namespace fsvd {

template <class T>
lapack_int merge(Team& team, const BidiagonalSvd<T>& b, const Node& node) {
  using namespace merging;
  const std::int64_t n = node.n, m = node.cols();
  const Children<T> children{n,
                             m,
                             node.left(),
                             b.d + node.first,
                             b.u ? b.u + node.first * (b.ldu + 1) : nullptr,
                             b.vt + node.first * (b.ldvt + 1),
                             b.ldu,
                             b.ldvt,
                             b.index + node.first,
                             b.d[node.middle()],
                             b.e[node.middle()]};
  // Scratch is taken from where the rows of the node stand, so that nodes do not meet.
  T *z = b.work + node.first * (merge_work(b.n) / b.n), *small_d = z + m, *small_z = small_d + n, *sigma = small_z + n;
  T* space = sigma + n;
  std::int64_t *sorted = b.index + b.n + merge_index(node.first), *kept = sorted + n, *place = kept + n;
  std::int64_t* half = place + n;

  // 1. The middle row in the basis of the children's right vectors.
  const Middle<T> middle = form_z(children, z);
  if (middle.tolerance == 0) {  // all of it is zero, and the vectors are orthonormal as they are
    std::iota(children.order, children.order + n, std::int64_t{0});
    return 0;
  }
  // 2. What stays as it is.
  const Deflation deflation = deflate(children, middle, sorted, {0, kept, half});
  const std::int64_t k = deflation.count;
  // 3. The singular values of the small matrix that is left.
  SmallMatrix<T> small(children, middle, deflation, small_d, small_z);
  if (!small.solve(team, sigma)) return 1;
  small.refine_z(team);
  // 4. The vectors of the node.
  multiply_vectors(team, children, deflation, small, place, space);
  // 5. The values of the node, and their order.
  for (std::int64_t j = k; j < n; ++j) sigma[j] = children.d[kept[j]];
  std::copy_n(sigma, n, children.d);
  std::iota(sorted, sorted + n, std::int64_t{0});
  std::merge(sorted, sorted + k, sorted + k, sorted + n, children.order,
             [&](std::int64_t x, std::int64_t y) { return children.d[x] < children.d[y]; });
  return 0;
}

template lapack_int merge(Team&, const BidiagonalSvd<float>&, const Node&);
template lapack_int merge(Team&, const BidiagonalSvd<double>&, const Node&);

}  // namespace fsvd
