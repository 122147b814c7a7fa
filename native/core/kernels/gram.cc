#include "gram.h"

#include <algorithm>

#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/lapack.h"
#include "core/base/small_products.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"

namespace fsvd {
namespace {

// Up to how many columns strips of 8, each with all that stand before it, are faster than ?syrk: by half at 64.
constexpr std::int64_t strip = 8, most_in_strips_by_rows = 256, most_in_strips_by_columns = 144;

bool in_strips(std::int64_t k, bool by_rows) {
  return has_small_products() && k <= (by_rows ? most_in_strips_by_rows : most_in_strips_by_columns);
}

// Whether columns are turned to rows first. Strips of doubles end with every few rows, where sums along columns are slow: by
// a quarter at 64 and at 128. Few columns do not repay it, nor does float.
template <class T>
bool better_turned(std::int64_t k) {
  constexpr std::int64_t least = 32;
  return sizeof(T) == 8 && k >= least && in_strips(k, true);
}

// Rows that are handled together, as doubles: few, so that they stay in a cache; more were slower, though ?syrk alone is
// faster with them.
std::int64_t tile_rows_for(std::int64_t k) {
  if (in_strips(k, true)) return 192;
  return std::clamp<std::int64_t>((1 << 16) / std::max<std::int64_t>(k, 1), 256, 1024);
}

// sum += X^T * X for n rows of X, row-major or column-major with leading dimension ld.
void add_product(const double* x, std::int64_t n, std::int64_t k, std::int64_t ld, bool by_rows, double* sum) {
  const char first = by_rows ? 'N' : 'T', second = by_rows ? 'T' : 'N';
  if (!in_strips(k, by_rows)) {
    return lapack::syrk('U', first, k, n, 1.0, x, ld, 1.0, sum, k);
  }
  for (std::int64_t j = 0; j < k; j += strip) {
    const std::int64_t width = std::min(strip, k - j);
    const double* column = x + (by_rows ? j : j * ld);
    lapack::gemm(first, second, j + width, width, n, 1.0, x, ld, column, ld, 1.0, sum + j * k, k);
  }
}

// The sum of X^T * X over many rows. BLAS adds up the rows of one call one after the other, and where columns have many
// equal elements all rounding errors go one way, up to a sixth of an epsilon with every row. Float does not notice; for
// doubles few rows are taken at a time, and the sums over longer stretches are added together with their errors.
template <class T>
class LongSum {
 public:
  static std::int64_t work_size(std::int64_t k, std::int64_t rows) { return in_stretches(rows) ? 2 * k * k : 0; }

  // `sum` is k x k.
  LongSum(std::int64_t k, std::int64_t rows, double* sum, double* work)
      : size_(k * k), k_(k), sum_(sum), lost_(work), part_(in_stretches(rows) ? work + size_ : sum) {
    std::fill_n(sum, size_, 0.0);
    if (part_ != sum_) std::fill_n(work, 2 * size_, 0.0);
  }

  void add(const double* x, std::int64_t n, std::int64_t ld, bool by_rows) {
    const std::int64_t together = sizeof(T) == 8 ? few_rows : n;
    for (std::int64_t r = 0; r < n; r += together) {
      add_product(x + r * (by_rows ? ld : 1), std::min(together, n - r), k_, ld, by_rows, part_);
      rows_ += together;
      if (rows_ >= stretch && part_ != sum_) end_stretch();
    }
  }

  void finish() {
    if (part_ == sum_) return;
    end_stretch();
    for (std::int64_t e = 0; e < size_; ++e) sum_[e] += lost_[e];
  }

 private:
  static constexpr std::int64_t few_rows = 32, stretch = 512;
  static bool in_stretches(std::int64_t rows) { return sizeof(T) == 8 && rows > stretch; }

  // Knuth's sum of two numbers and its error.
  void end_stretch() {
    double* __restrict sum = sum_;
    double* __restrict part = part_;
    double* __restrict lost = lost_;
    for (std::int64_t j = 0; j < k_; ++j)
      for (std::int64_t e = j * k_; e <= j * (k_ + 1); ++e) {
        const double x = sum[e], y = part[e], s = x + y, of_y = s - x;
        lost[e] += (x - (s - of_y)) + (y - of_y);
        sum[e] = s, part[e] = 0;
      }
    rows_ = 0;
  }

  std::int64_t size_, k_;
  double *sum_, *lost_, *part_;  // part_ is sum_ where there is one stretch only
  std::int64_t rows_ = 0;
};

// Adds rows first ... first + rows - 1 of item i to the Gram matrix `sum`, from a copy as doubles that keeps the
// orientation of a, so that it runs along memory, or is turned to rows. Doubles are copied too: see Pieces in gemm.cc.
template <class T, class Sum>
void add_tile(const Batch<const T>& a, std::int64_t i, std::int64_t first, std::int64_t rows, double* tile, Sum& sum) {
  const T* src = a.item(i) + first * a.row_stride;
  const std::int64_t one = 1;
  const bool by_rows = !a.read_by_columns() || better_turned<T>(a.cols);
  const std::int64_t ld = by_rows ? a.cols : rows;
  copy(src, a.row_stride, a.col_stride, tile, by_rows ? ld : one, by_rows ? one : ld, rows, a.cols);
  sum.add(tile, rows, ld, by_rows);
}

}  // namespace

void add_parts(const Batch<const double>& gram, std::int64_t i, std::int64_t blocks, double* sum) {
  const std::int64_t k = gram.cols;
  const double* parts = gram.item(i);
  std::copy_n(parts, k * k, sum);
  for (std::int64_t b = 1; b < blocks; ++b)
    for (std::int64_t e = 0; e < k * k; ++e) sum[e] += parts[b * k * k + e];
}

template <class T>
void solved_rows(const Batch<const T>& a, std::int64_t i, std::int64_t first, std::int64_t rows, const Gauge& gauge,
                 const T* root, T* dst) {
  const std::int64_t k = a.cols;
  const T* src = a.item(i) + first * a.row_stride;
  if (!gauge.perm && !gauge.exponents) {
    copy(src, a.row_stride, a.col_stride, dst, k, std::int64_t{1}, rows, k);
  } else {
    for (std::int64_t j = 0; j < k; ++j) {
      const PowerOfTwo<T> scale(gauge.exponents ? gauge.exponents[j] : 0);
      const T* column = src + (gauge.perm ? gauge.perm[j] : j) * a.col_stride;
      for (std::int64_t r = 0; r < rows; ++r) dst[r * k + j] = scale * column[r * a.row_stride];
    }
  }
  // Row-major dst is D^T to BLAS: root^T * X^T = D^T.
  lapack::trsm('L', 'U', 'T', 'N', k, rows, T(1), root, k, dst, k);
}

template <class T>
void Gram<T>::operator()(std::int64_t unit) const {
  const std::int64_t k = a.cols, i = unit / blocks, rows = parts_of(a.rows, blocks);
  const std::int64_t first = unit % blocks * rows, end = std::min(a.rows, first + rows);
  double* sum = gram.item(i) + unit % blocks * k * k;
  if (k == 0) return;  // there may be any number of rows
  if (root.data) add_solved(i, first, end, sum);
  else add_rows(i, first, end, sum);
}

template <class T>
void Gram<T>::add_rows(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const {
  const std::int64_t tile_rows = tile_rows_for(a.cols), more = LongSum<T>::work_size(a.cols, end - first);
  Workspace ws(Workspace::bytes_for<double>(tile_rows * a.cols) + Workspace::bytes_for<double>(more));
  double* tile = ws.take<double>(tile_rows * a.cols);
  LongSum<T> total(a.cols, end - first, sum, ws.take<double>(more));
  for (std::int64_t r = first; r < end; r += tile_rows) {
    look_up();
    add_tile(a, i, r, std::min(tile_rows, end - r), tile, total);
  }
  total.finish();
}

template <class T>
void Gram<T>::add_solved(std::int64_t i, std::int64_t first, std::int64_t end, double* sum) const {
  const std::int64_t k = a.cols, tile_rows = tile_rows_for(k), more = LongSum<T>::work_size(k, end - first);
  Workspace ws(Workspace::bytes_for<T>(tile_rows * k) + Workspace::bytes_for<double>(tile_rows * k) +
               Workspace::bytes_for<double>(more));
  T* solved = ws.template take<T>(tile_rows * k);
  double* tile = ws.template take<double>(tile_rows * k);
  LongSum<T> total(k, end - first, sum, ws.take<double>(more));
  for (std::int64_t r = first; r < end; r += tile_rows) {
    const std::int64_t rows = std::min(tile_rows, end - r);
    look_up();
    solved_rows(a, i, r, rows, gauge.item(i, k), root.item(i), solved);
    add_tile(packed<const T>(solved, 1, rows, k), 0, 0, rows, tile, total);
  }
  total.finish();
}

template struct Gram<float>;
template struct Gram<double>;
template void solved_rows(const Batch<const float>&, std::int64_t, std::int64_t, std::int64_t, const Gauge&,
                          const float*, float*);
template void solved_rows(const Batch<const double>&, std::int64_t, std::int64_t, std::int64_t, const Gauge&,
                          const double*, double*);

}  // namespace fsvd
