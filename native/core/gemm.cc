#include "gemm.h"

#include <algorithm>

#include "lapack.h"
#include "pack.h"
#include "workspace.h"

namespace fsvd {
namespace {

constexpr std::int64_t block_rows = 512;

// BLAS takes a matrix with one unit stride and a positive leading dimension; anything else is copied.
struct Layout {
  char trans;  // as seen by column-major BLAS that computes C^T = B^T * A^T
  std::int64_t ld;
};

bool blas_layout(std::int64_t rows, std::int64_t cols, std::int64_t row_stride, std::int64_t col_stride, Layout& out) {
  if (col_stride == 1 && row_stride >= std::max<std::int64_t>(cols, 1)) return out = {'N', row_stride}, true;
  if (row_stride == 1 && col_stride >= std::max<std::int64_t>(rows, 1)) return out = {'T', col_stride}, true;
  return false;
}

template <class T>
struct Operand {
  const T* data;
  Layout layout{'N', 0};
  std::int64_t copied;

  Operand(const Batch<const T>& m, std::int64_t i, std::int64_t first_row, std::int64_t rows)
      : data(m.item(i) + first_row * m.row_stride) {
    copied = blas_layout(rows, m.cols, m.row_stride, m.col_stride, layout) && layout.ld <= lapack_int_max
                 ? 0
                 : rows * m.cols;
  }

  void copy_to(const Batch<const T>& m, std::int64_t rows, T* memory) {
    if (!copied) return;
    copy(data, m.row_stride, m.col_stride, memory, m.cols, std::int64_t{1}, rows, m.cols);
    data = memory;
    layout = {'N', std::max<std::int64_t>(m.cols, 1)};
  }
};

}  // namespace

template <class T>
std::int64_t Gemm<T>::blocks() const {
  return std::max<std::int64_t>(1, (a.rows + block_rows - 1) / block_rows);
}

template <class T>
void Gemm<T>::operator()(std::int64_t unit) const {
  const std::int64_t i = unit / blocks(), block = unit % blocks();
  const std::int64_t first = block * block_rows, rows = std::min(block_rows, a.rows - first);
  const std::int64_t inner = a.cols, cols = b.cols;
  T* out = c + (i * a.rows + first) * cols;
  if (rows == 0 || cols == 0) return;
  if (inner > lapack_int_max || cols > lapack_int_max) {
    return status[i].set(Status::too_large, static_cast<double>(inner) * static_cast<double>(cols) * sizeof(T));
  }
  if (inner == 0) {
    if (beta == 0) std::fill_n(out, rows * cols, T(0));
    return;
  }
  Operand<T> left(a, i, first, rows), right(b, i, 0, b.rows);
  Workspace ws(Workspace::bytes_for<T>(left.copied) + Workspace::bytes_for<T>(right.copied));
  left.copy_to(a, rows, ws.template take<T>(left.copied));
  right.copy_to(b, b.rows, ws.template take<T>(right.copied));
  lapack::gemm(right.layout.trans, left.layout.trans, static_cast<lapack_int>(cols), static_cast<lapack_int>(rows),
               static_cast<lapack_int>(inner), alpha, right.data, static_cast<lapack_int>(right.layout.ld), left.data,
               static_cast<lapack_int>(left.layout.ld), beta, out, static_cast<lapack_int>(cols));
  if (!all_finite(out, rows * cols)) status[i].set(Status::overflow);
}

template struct Gemm<float>;
template struct Gemm<double>;

}  // namespace fsvd
