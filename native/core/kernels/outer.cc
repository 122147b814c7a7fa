#include "outer.h"

#include <algorithm>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

constexpr std::int64_t tile = 384;     // rows of a tile
constexpr std::int64_t stretch = 512;  // columns of a that are multiplied at once: both strips stay in a cache

// Row and column of the tile with this number, counted row by row in the lower triangle.
struct Place {
  std::int64_t row = 0, col;

  explicit Place(std::int64_t number) : col(number) {
    while (col > row) col -= ++row;
  }
};

}  // namespace

template <class T>
std::int64_t Outer<T>::tiles() const {
  return parts_of(a.rows, tile);
}

template <class T>
std::int64_t Outer<T>::blocks() const {
  return tiles() * (tiles() + 1) / 2;
}

template <class T>
void Outer<T>::operator()(std::int64_t unit) const {
  const std::int64_t i = unit / blocks(), n = a.rows, inner = a.cols, one = 1;
  const Place at(unit % blocks());
  const std::int64_t top = at.row * tile, left = at.col * tile;
  const std::int64_t rows = std::min(tile, n - top), cols = std::min(tile, n - left);
  Workspace ws(2 * Workspace::bytes_for<double>(tile * stretch));
  double *upper = ws.take<double>(tile * stretch), *lower = ws.take<double>(tile * stretch);
  double* out = c.item(i) + top * n + left;
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(out + r * n, cols, 0.0);
  for (std::int64_t k = 0; k < inner; k += stretch) {
    look_up();
    const std::int64_t width = std::min(stretch, inner - k);
    const auto strip = [&](std::int64_t first, std::int64_t count, double* to) {
      copy(a.item(i) + first * a.row_stride + k * a.col_stride, a.row_stride, a.col_stride, to, width, one, count,
           width);
      return to;
    };
    const double* x = strip(top, rows, upper);
    const double* y = top == left ? x : strip(left, cols, lower);
    lapack::gemm('T', 'N', cols, rows, width, 1.0, y, width, x, width, 1.0, out, n);  // row-major: out += x * y^T
  }
  double* mirror = c.item(i) + left * n + top;
  if (top != left) copy(out, n, one, mirror, one, n, rows, cols);
  else
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t s = 0; s < r; ++s) mirror[s * n + r] = out[r * n + s];
}

template struct Outer<float>;
template struct Outer<double>;

}  // namespace fsvd
