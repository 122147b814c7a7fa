#include "reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/arithmetic.h"
#include "core/base/lapack.h"
#include "core/threads/task.h"
#include "reflectors.h"

namespace fsvd {
namespace {

constexpr std::int64_t panel = 8;               // columns between two updates of the rest of the matrix
constexpr std::int64_t row_block = 128;         // what one thread takes at a time …
constexpr std::int64_t column_block = 64;       // …
constexpr std::int64_t cached_elements = 8192;  // … and keeps in its cache for the second product
constexpr std::int64_t tile = 192;              // of the update
constexpr std::int64_t terms = 256;             // one after the other: many equal ones would add up equal errors

// The part of block b that lies behind `first`.
struct Range {
  std::int64_t from, to;
  Range(std::int64_t b, std::int64_t size, std::int64_t first, std::int64_t end)
      : from(std::max(first, b * size)), to(std::min(end, (b + 1) * size)) {}
  std::int64_t size() const { return to - from; }
};

// Within a panel the rest of the matrix is a − left·rightᵀ: left = [v_0 x_0 v_1 x_1 …], right = [y_0 u_0 y_1 u_1 …],
// with the reflectors v of the columns and u of the rows.
template <class T>
class Panel {
 public:
  Panel(const Bidiagonalisation<T>& b, Team& team)
      : b_(b), team_(team), row_blocks_(parts_of(b.rows, row_block)), column_blocks_(parts_of(b.cols, column_block)),
        left_(b.work), right_(left_ + b.rows * 2 * panel), products_(right_ + b.cols * 2 * panel),
        sums_(products_ + b.rows * column_blocks_), norms_(sums_ + 2 * panel * most_blocks()),
        s_(norms_ + most_blocks()), row_(s_ + 2 * panel) {}

  static std::int64_t work_size(std::int64_t rows, std::int64_t cols) {
    const std::int64_t most = std::max(parts_of(rows, row_block), parts_of(cols, column_block));
    return (rows + cols) * 2 * panel + rows * parts_of(cols, column_block) + (2 * panel + 1) * most + 2 * panel + cols;
  }

  // Columns first … end − 1, and the update of what is behind them.
  void reduce(std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) {
      const std::int64_t known = 2 * (i - first);
      column(i, known);
      if (i + 1 < b_.cols) row(i, known + 1);
      else b_.tau_p[i] = 0;
    }
    if (end < b_.cols) update(end, 2 * (end - first));
  }

 private:
  std::int64_t most_blocks() const { return std::max(row_blocks_, column_blocks_); }
  T* a(std::int64_t r, std::int64_t c) const { return b_.a + r + c * b_.ld; }
  T* left(std::int64_t r, std::int64_t j) const { return left_ + r + j * b_.rows; }
  T* right(std::int64_t c, std::int64_t j) const { return right_ + c + j * b_.cols; }

  // y = alpha·x_part(n x k)·z + y
  static void add(std::int64_t n, std::int64_t k, T alpha, const T* x, std::int64_t ld, const T* z, std::int64_t step,
                  T* y) {
    if (n > 0 && k > 0) lapack::gemv('N', n, k, alpha, x, ld, z, step, T(1), y, 1);
  }
  // y = x_part(n x k)ᵀ·z, in sums of sums
  static void project(std::int64_t n, std::int64_t k, const T* x, std::int64_t ld, const T* z, T* y) {
    if (n <= 0 || k <= 0) {
      std::fill_n(y, k, T(0));
      return;
    }
    for (std::int64_t from = 0; from < n; from += terms)
      lapack::gemv('T', std::min(terms, n - from), k, T(1), x + from, ld, z + from, 1, T(from > 0 ? 1 : 0), y, 1);
  }
  T total(const T* parts, std::int64_t first, std::int64_t end, std::int64_t step = 1) const {
    T sum = 0;
    for (std::int64_t p = first; p < end; ++p) sum += parts[p * step];
    return sum;
  }

  // x of the last row that was reduced, for the rows of one block: from the products with its blocks of columns.
  void finish_x(const Range& r, std::int64_t i, std::int64_t known) const {
    T* x = left(r.from, known);
    std::fill_n(x, r.size(), T(0));
    if (row_reflector_.tau == 0) return;
    for (std::int64_t c = (i + 1) / column_block; c < column_blocks_; ++c) {
      const T* part = products_ + c * b_.rows + r.from;
      for (std::int64_t j = 0; j < r.size(); ++j) x[j] += part[j];
    }
    const T* column = a(r.from, i + 1);
    for (std::int64_t j = 0; j < r.size(); ++j) x[j] = row_reflector_.product(x[j], column[j]);
    add(r.size(), known, T(-1), left(r.from, 0), b_.rows, s_, 1, x);
    for (std::int64_t j = 0; j < r.size(); ++j) x[j] *= row_reflector_.tau;
  }

  // Brings column i up to date and reduces it; leaves v in column `known` of left, and leftᵀ·v in s.
  void column(std::int64_t i, std::int64_t known) {
    const std::int64_t first = i / row_block;
    team_.each(row_blocks_ - first, [&](std::int64_t p) {
      const Range r(first + p, row_block, i, b_.rows);
      if (known > 0) finish_x(r, i - 1, known - 1);
      T* x = a(r.from, i);
      add(r.size(), known, T(-1), left(r.from, 0), b_.rows, right(i, 0), b_.cols, x);
      project(r.size(), known, left(r.from, 0), b_.rows, x, sums_ + p * 2 * panel);
      norms_[p] = r.from == i ? sum_of_squares(x + 1, r.size() - 1) : sum_of_squares(x, r.size());
    });
    const std::int64_t parts = row_blocks_ - first;
    T* x = a(i, i);
    const Reflector<T> h(*x, total(norms_, 0, parts));
    for (std::int64_t j = 0; j < known; ++j) s_[j] = h.product(total(sums_ + j, 0, parts, 2 * panel), *left(i, j));
    T* v = left(i, known);
    for (std::int64_t j = 1; j < b_.rows - i; ++j) v[j] = x[j] *= h.scale;
    v[0] = 1;
    b_.d[i] = h.beta, b_.tau_q[i] = h.tau;
  }

  // Brings row i up to date and reduces it: y into column known − 1 of right, u into column `known`.
  void row(std::int64_t i, std::int64_t known) {
    const std::int64_t first = (i + 1) / column_block, tall = b_.rows - i;
    const T tau = b_.tau_q[i];
    team_.each(column_blocks_ - first, [&](std::int64_t p) {
      const Range all(first + p, column_block, i + 1, b_.cols);
      T* product = products_ + (first + p) * b_.rows + i + 1;
      T* sums = sums_ + p * 2 * panel;
      std::fill_n(product, tall - 1, T(0));
      const std::int64_t most = std::clamp<std::int64_t>(cached_elements / tall, 8, column_block);
      for (std::int64_t c = all.from; c < all.to; c += most) {
        const std::int64_t n = std::min(most, all.to - c);
        T *y = right(c, known - 1), *row = row_ + c;
        project(tall, n, a(i, c), b_.ld, left(i, known - 1), y);
        add(n, known - 1, T(-1), right(c, 0), b_.cols, s_, 1, y);
        for (std::int64_t j = 0; j < n; ++j) y[j] *= tau, row[j] = *a(i, c + j);
        add(n, known, T(-1), right(c, 0), b_.cols, left(i, 0), b_.rows, row);
        add(tall - 1, n, T(1), a(i + 1, c), b_.ld, row, 1, product);
      }
      const T* row = row_ + all.from;
      project(all.size(), known, right(all.from, 0), b_.cols, row, sums);
      norms_[p] = all.from == i + 1 ? sum_of_squares(row + 1, all.size() - 1) : sum_of_squares(row, all.size());
    });
    const std::int64_t parts = column_blocks_ - first;
    const Reflector<T> h(row_[i + 1], total(norms_, 0, parts));
    for (std::int64_t j = 0; j < known; ++j) s_[j] = h.product(total(sums_ + j, 0, parts, 2 * panel), *right(i + 1, j));
    T* u = right(0, known);
    for (std::int64_t c = i + 2; c < b_.cols; ++c) *a(i, c) = u[c] = row_[c] * h.scale;
    u[i + 1] = 1;
    row_reflector_ = h;
    b_.e[i] = h.beta, b_.tau_p[i] = h.tau;
  }

  void update(std::int64_t end, std::int64_t known) {
    team_.each(row_blocks_ - end / row_block, [&](std::int64_t p) {
      finish_x(Range(end / row_block + p, row_block, end, b_.rows), end - 1, known - 1);
    });
    const std::int64_t down = parts_of(b_.rows - end, tile), across = parts_of(b_.cols - end, tile);
    team_.each(down * across, [&](std::int64_t p) {
      const Range r(p % down, tile, 0, b_.rows - end), c(p / down, tile, 0, b_.cols - end);
      lapack::gemm('N', 'T', r.size(), c.size(), known, T(-1), left(end + r.from, 0), b_.rows, right(end + c.from, 0),
                   b_.cols, T(1), a(end + r.from, end + c.from), b_.ld);
    });
  }

  const Bidiagonalisation<T>& b_;
  Team& team_;
  std::int64_t row_blocks_, column_blocks_;
  T *left_, *right_;
  T* products_;  // rows x column_blocks: a·row, from every block of columns
  T *sums_, *norms_;
  T *s_, *row_;
  Reflector<T> row_reflector_{0, 0};
};

}  // namespace

template <class T>
std::int64_t Bidiagonalisation<T>::work_size() const {
  return Panel<T>::work_size(rows, cols);
}

template <class T>
void Bidiagonalisation<T>::run(Team& team) const {
  Panel<T> work(*this, team);
  // Of a matrix with so many columns left, roughly.
  const auto flops = [this](std::int64_t left) {
    const double n = static_cast<double>(left), m = n + static_cast<double>(rows - cols);
    return n * n * (3 * m - n);
  };
  for (std::int64_t first = 0; first < cols; first += panel) {
    const std::int64_t end = std::min(cols, first + panel);
    work.reduce(first, end);
    advance(1 - flops(cols - end) / flops(cols));
  }
}

template class Bidiagonalisation<float>;
template class Bidiagonalisation<double>;

}  // namespace fsvd
