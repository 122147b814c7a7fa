#include "gemm.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/small_products.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

constexpr std::int64_t block_size = 512;
// A long product is cut into enough blocks of rows; wider ones are faster.
constexpr std::int64_t long_rows = 16 * block_size, wide_block = 1024;

std::int64_t blocks_of(std::int64_t n, std::int64_t size) { return std::max<std::int64_t>(1, parts_of(n, size)); }

// A strided matrix as row-major C = A * B is given to column-major BLAS, which computes C^T = B^T * A^T. One stride must
// be 1 and the other a valid leading dimension; any other matrix is copied, in the orientation that it has. A single row or
// column counts as rows however it lies: see Batch::read_by_columns.
template <class T>
struct Operand {
  const T* data;
  char trans = 'N';
  std::int64_t ld = 0, rows, cols, row_stride, col_stride;
  bool by_columns;

  Operand(const Batch<const T>& m, const T* data, std::int64_t rows, std::int64_t cols)
      : data(data), rows(rows), cols(cols), row_stride(m.row_stride), col_stride(m.col_stride),
        by_columns(m.read_by_columns()) {
    const auto valid = [](std::int64_t ld, std::int64_t n) { return ld >= n && ld >= 1 && ld <= lapack_int_max; };
    if ((col_stride == 1 || m.cols == 1) && valid(row_stride, cols)) ld = row_stride;
    else if (by_columns && row_stride == 1 && valid(col_stride, rows)) ld = col_stride, trans = 'T';
  }

  const T* at(std::int64_t r, std::int64_t c) const { return data + (trans == 'N' ? r * ld + c : r + c * ld); }

  bool lies_by_rows() const { return trans == 'N' && ld != 0; }
  std::int64_t copied() const { return ld == 0 ? rows * cols : 0; }

  void copy_to(T* memory) {
    if (ld != 0) return;
    const std::int64_t one = 1;
    ld = by_columns ? rows : cols;
    trans = by_columns ? 'T' : 'N';
    copy(data, row_stride, col_stride, memory, by_columns ? one : ld, by_columns ? ld : one, rows, cols);
    data = memory;
  }
};

// Pieces of a product of many rows, as kernels for small products compute them: the longer dimension in slices, or both
// in tiles. The kernels read their operands where they lie. Columns of b whose rows lie far apart are copied first, to
// aligned memory, where they do not compete for the same places in the cache.
struct Pieces {
  std::int64_t rows, cols;  // of one
  std::int64_t inner;       // what is multiplied at once: a few hundredths of a second, because nothing can stop it
  bool copied = false;      // the columns of b

  Pieces(std::int64_t m, std::int64_t n, std::int64_t inner_dimension, bool b_lies_by_rows)
      : rows(m), cols(n), inner(inner_dimension) {
    choose(b_lies_by_rows);
    inner = std::min(inner, std::max<std::int64_t>(1, longest / (rows * cols) / inner_step) * inner_step);
  }

 private:
  void choose(bool b_lies_by_rows) {
    const std::int64_t m = rows, n = cols;
    if (!has_small_products() || m < least_rows) return;
    if (m * n * inner > small_product) {
      const std::int64_t slice = small_product / (std::min(m, n) * inner) / small_product_step * small_product_step;
      if (n > m && b_lies_by_rows && inner >= least_tiled && inner <= most_tiled) rows = tile_rows, cols = tile_cols;
      else if (slice > 0) (n > m ? cols : rows) = std::min(slice, std::max(m, n));
      else return;
    }
    copied = b_lies_by_rows;
  }

  static constexpr std::int64_t longest = std::int64_t{1} << 30, inner_step = 1024;
  static constexpr std::int64_t least_rows = 64;
  // Wide ones, where measured to be faster than slices: by a tenth to a quarter.
  static constexpr std::int64_t tile_rows = 16, tile_cols = 64, least_tiled = 48, most_tiled = 512;
};

}  // namespace

template <class T>
std::int64_t Gemm<T>::row_blocks() const {
  return blocks_of(a.rows, block_size);
}

template <class T>
std::int64_t Gemm<T>::col_blocks() const {
  return blocks_of(b.cols, a.rows >= long_rows ? wide_block : block_size);
}

template <class T>
std::int64_t Gemm<T>::blocks() const {
  return a.rows == 0 || b.cols == 0 ? 1 : row_blocks() * col_blocks();
}

template <class T>
void Gemm<T>::operator()(std::int64_t unit) const {
  const std::int64_t i = unit / blocks(), block = unit % blocks(), inner = a.cols;
  const std::int64_t most_rows = parts_of(a.rows, row_blocks()), most_cols = parts_of(b.cols, col_blocks());
  const std::int64_t row = block % row_blocks() * most_rows, rows = std::min(most_rows, a.rows - row);
  const std::int64_t col = block / row_blocks() * most_cols, cols = std::min(most_cols, b.cols - col);
  const std::int64_t ld = c.row_stride;
  T* out = c.item(i) + row * ld + col;
  if (rows <= 0 || cols <= 0) return;
  if (inner > lapack_int_max || ld > lapack_int_max) {
    return status[i].set(Status::too_large, static_cast<double>(inner) * static_cast<double>(ld) * sizeof(T));
  }
  if (inner == 0) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < cols; ++c) out[r * ld + c] = beta == 0 ? 0 : beta * out[r * ld + c];
    return;
  }
  Operand<T> left(a, a.item(i) + row * a.row_stride, rows, inner),
      right(b, b.item(i) + col * b.col_stride, inner, cols);
  const Pieces pieces(rows, cols, inner, right.lies_by_rows());
  const std::int64_t size = pieces.copied ? inner * pieces.cols : right.copied();
  Workspace ws(Workspace::bytes_for<T>(left.copied()) + Workspace::bytes_for<T>(size));
  left.copy_to(ws.template take<T>(left.copied()));
  T* memory = ws.template take<T>(size);
  right.copy_to(memory);
  const std::int64_t one = 1;
  bool finite = true;
  for (std::int64_t c = 0; c < cols; c += pieces.cols) {
    const std::int64_t n = std::min(pieces.cols, cols - c);
    if (pieces.copied) copy(right.at(0, c), right.ld, one, memory, n, one, inner, n);
    for (std::int64_t r = 0; r < rows; r += pieces.rows) {
      const std::int64_t m = std::min(pieces.rows, rows - r);
      T* piece = out + r * ld + c;
      for (std::int64_t k = 0; k < inner; k += pieces.inner) {
        look_up();
        const T* columns = pieces.copied ? memory + k * n : right.at(k, c);
        lapack::gemm(right.trans, left.trans, n, m, std::min(pieces.inner, inner - k), alpha, columns,
                     pieces.copied ? n : right.ld, left.at(r, k), left.ld, k == 0 ? beta : T(1), piece, ld);
      }
      finite = all_finite(piece, ld, m, n) && finite;
    }
  }
  if (!finite) status[i].set(Status::overflow);
}

template struct Gemm<float>;
template struct Gemm<double>;

}  // namespace fsvd
