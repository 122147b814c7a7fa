#include "pack.h"

#include <type_traits>

#include "core/base/arithmetic.h"
#include "core/base/workspace.h"

namespace fsvd {
namespace {

constexpr std::int64_t block_elements = 1 << 18;

// Lines are what lies one behind the other in `out`: rows, or columns where it is column-major.
std::int64_t lines_per_block(std::int64_t length) {
  return std::max<std::int64_t>(1, block_elements / std::max<std::int64_t>(length, 1));
}

}  // namespace

template <class In, class Out>
std::int64_t Pack<In, Out>::blocks() const {
  const std::int64_t lines = out.by_columns() ? a.cols : a.rows, length = out.by_columns() ? a.rows : a.cols;
  if (a.size() == 0) return 1;
  return std::max<std::int64_t>(1, (lines + lines_per_block(length) - 1) / lines_per_block(length));
}

template <class In, class Out>
void Pack<In, Out>::operator()(std::int64_t unit) const {
  using Wide = std::conditional_t<sizeof(In) < sizeof(Out), Out, In>;
  const bool by_columns = out.by_columns();
  const std::int64_t i = unit / blocks(), length = by_columns ? a.rows : a.cols;
  const std::int64_t lines = by_columns ? a.cols : a.rows, first = unit % blocks() * lines_per_block(length);
  const std::int64_t end = std::min(lines, first + lines_per_block(length));
  if (a.size() == 0) return;
  const In* src = a.item(i);
  Out* dst = out.item(i);
  const Gauge g = gauge.item(i, a.cols);
  const auto put = [&](Out& y, Wide x) { y = static_cast<Out>(accumulate ? y + x : x); };
  const auto column = [&](std::int64_t j) { return src + (g.perm ? g.perm[j] : j) * a.col_stride; };
  if (by_columns) {
    for (std::int64_t j = first; j < end; ++j) {
      const PowerOfTwo<Wide> scale(g.exponents ? g.exponents[j] : 0);
      const In* from = column(j);
      for (std::int64_t r = 0; r < a.rows; ++r)
        put(dst[j * out.col_stride + r],
            static_cast<Wide>(alpha) * (scale * static_cast<Wide>(from[r * a.row_stride])));
    }
    return;
  }
  if (!g.perm && !g.exponents && alpha == 1 && !accumulate) {
    const std::int64_t one = 1;
    copy(src + first * a.row_stride, a.row_stride, a.col_stride, dst + first * out.row_stride, out.row_stride, one,
         end - first, a.cols);
    return;
  }
  using W = Workspace;
  W ws(W::bytes_for<PowerOfTwo<Wide>>(a.cols) + W::bytes_for<std::int64_t>(a.cols));
  auto* scale = ws.template take<PowerOfTwo<Wide>>(a.cols);
  auto* offset = ws.template take<std::int64_t>(a.cols);
  for (std::int64_t j = 0; j < a.cols; ++j) {
    scale[j] = PowerOfTwo<Wide>(g.exponents ? g.exponents[j] : 0);
    offset[j] = column(j) - src;
  }
  for (std::int64_t r = first; r < end; ++r)
    for (std::int64_t j = 0; j < a.cols; ++j)
      put(dst[r * out.row_stride + j],
          static_cast<Wide>(alpha) * (scale[j] * static_cast<Wide>(src[r * a.row_stride + offset[j]])));
}

template struct Pack<float, float>;
template struct Pack<float, double>;
template struct Pack<double, double>;
template struct Pack<double, float>;
template struct Pack<Bfloat16, float>;
template struct Pack<Bfloat16, double>;
template struct Pack<Float16, float>;
template struct Pack<Float16, double>;

}  // namespace fsvd
