#include "pack.h"

#include <type_traits>
#include <vector>

namespace fsvd {

template <class In, class Out>
void Pack<In, Out>::operator()(std::int64_t i) const {
  const In* src = a.item(i);
  Out* dst = out + (positions ? positions[i] : i) * stride;
  const Gauge g = gauge.item(i, a.cols);
  if (!g.perm && !g.exponents && alpha == 1 && !accumulate) {
    copy(src, a.row_stride, a.col_stride, dst, a.cols, std::int64_t{1}, a.rows, a.cols);
    return;
  }
  using Wide = std::conditional_t<sizeof(In) < sizeof(Out), Out, In>;
  std::vector<PowerOfTwo<Wide>> scale;
  std::vector<std::int64_t> column;
  scale.reserve(a.cols), column.reserve(a.cols);
  for (std::int64_t j = 0; j < a.cols; ++j) {
    scale.emplace_back(g.exponents ? g.exponents[j] : 0);
    column.push_back((g.perm ? g.perm[j] : j) * a.col_stride);
  }
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const In* row = src + r * a.row_stride;
    for (std::int64_t j = 0; j < a.cols; ++j) {
      const Wide term = static_cast<Wide>(alpha) * (scale[j] * static_cast<Wide>(row[column[j]]));
      Out& y = dst[r * a.cols + j];
      y = static_cast<Out>(accumulate ? y + term : term);
    }
  }
}

template struct Pack<float, float>;
template struct Pack<float, double>;
template struct Pack<double, double>;
template struct Pack<double, float>;

}  // namespace fsvd
