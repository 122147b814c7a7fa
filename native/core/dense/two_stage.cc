#include "two_stage.h"

#include <algorithm>

#include "core/base/arithmetic.h"
#include "core/base/lapack.h"
#include "core/base/wide_vectors.h"
#include "core/threads/task.h"
#include "reflectors.h"

namespace fsvd {
namespace {

constexpr std::int64_t band = 48;    // diagonals above the main one
constexpr std::int64_t slice = 192;  // columns or rows that one thread takes

// To an upper band: a block of columns, then the block of rows beside it.
template <class T>
class Banding {
 public:
  Banding(const TwoStageReduction<T>& m, Team& team)
      : m_(m), team_(team), t_(m.work), rows_(t_ + band * band), products_(rows_ + band * m.cols) {}

  static std::int64_t work_size(std::int64_t rows, std::int64_t cols) {
    const std::int64_t most = parts_of(std::max(rows, cols), slice) * slice;
    return band * band + band * cols + 2 * band * most;
  }

  void run() const {
    for (std::int64_t first = 0; first < m_.cols; first += band) {
      const std::int64_t width = std::min(band, m_.cols - first), next = first + width;
      columns(first, width);
      if (next < m_.cols) rows(first, next);
      const double left = static_cast<double>(m_.cols - next) / static_cast<double>(m_.cols);
      advance(1 - left * left * left);
    }
  }

 private:
  T* at(std::int64_t r, std::int64_t c) const { return m_.a + r + c * m_.rows; }

  template <class Part>
  void in_slices(std::int64_t from, std::int64_t end, const Part& part) const {
    team_.each(parts_of(end - from, slice), [&](std::int64_t s) {
      const std::int64_t first = from + s * slice;
      part(first, std::min(slice, end - first), products_ + 2 * band * s * slice);
    });
  }

  void columns(std::int64_t first, std::int64_t width) const {
    const auto q = panel_qr(m_.rows - first, width, at(first, first), m_.rows, t_, band, products_);
    in_slices(first + width, m_.cols,
              [&](std::int64_t c, std::int64_t n, T* work) { reflect_left('T', q, at(first, c), m_.rows, n, work); });
  }

  // The rows from `first` on, behind their diagonal block.
  void rows(std::int64_t first, std::int64_t next) const {
    const std::int64_t length = m_.cols - next, height = std::min(next - first, length);
    for (std::int64_t r = 0; r < height; ++r)
      for (std::int64_t c = 0; c < length; ++c) rows_[c + r * length] = *at(first + r, next + c);
    const auto q = panel_qr(length, height, rows_, length, t_, band, products_);
    for (std::int64_t r = 0; r < height; ++r)
      for (std::int64_t c = 0; c <= r; ++c) *at(first + r, next + c) = rows_[c + r * length];
    in_slices(first + height, m_.rows,
              [&](std::int64_t r, std::int64_t n, T* work) { reflect_right('N', q, at(r, next), m_.rows, n, work); });
  }

  const TwoStageReduction<T>& m_;
  Team& team_;
  T* t_;
  T* rows_;  // transposed
  T* products_;
};

// columns = (I − tau·v·vᵀ)·columns
template <class T>
FSVD_WIDE_VECTORS void reflect_columns(const T* v, T tau, std::int64_t n, T* columns, std::int64_t ld,
                                       std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) {
    T* x = columns + c * ld;
    const T factor = tau * dot(v, x, n);
    for (std::int64_t i = 0; i < n; ++i) x[i] -= factor * v[i];
  }
}

// rows = rows·(I − tau·v·vᵀ), of `count` rows
template <class T>
FSVD_WIDE_VECTORS void reflect_rows(const T* v, T tau, std::int64_t n, T* rows, std::int64_t ld, std::int64_t count,
                                    T* x) {
  std::fill_n(x, count, T(0));
  for (std::int64_t c = 0; c < n; ++c)
    for (std::int64_t i = 0; i < count; ++i) x[i] += v[c] * rows[i + c * ld];
  for (std::int64_t c = 0; c < n; ++c) {
    const T factor = tau * v[c];
    for (std::int64_t i = 0; i < count; ++i) rows[i + c * ld] -= factor * x[i];
  }
}

// An upper band with room for the bulges: below it a band's width, and above it another.
template <class T>
class Chase {
 public:
  Chase(const TwoStageReduction<T>& m, Team& team) : n_(m.cols), team_(team), origin_(m.work + 2 * band) {}

  static std::int64_t work_size(std::int64_t n) { return n * (3 * band + 1); }

  void load(const TwoStageReduction<T>& m) const {
    std::fill_n(origin_ - 2 * band, work_size(n_), T(0));
    for (std::int64_t c = 0; c < n_; ++c)
      for (std::int64_t r = std::max<std::int64_t>(0, c - band); r <= c; ++r) *at(r, c) = m.a[r + c * m.rows];
  }

  // Row s is reduced by steps 0, 1, … ; step t of one row and step t + 3 of the row before have no element in common.
  void run() const {
    const std::int64_t sweeps = n_ - 1, last = apart * (sweeps - 1);
    for (std::int64_t wave = 0; wave <= last; ++wave) {
      // of the rows s whose step wave − 3·s exists
      const std::int64_t newest = std::min(sweeps - 1, wave / apart);
      const std::int64_t oldest = first_alive(wave);
      team_.each(parts_of(newest - oldest + 1, together), [&](std::int64_t part) {
        const std::int64_t from = oldest + part * together, end = std::min(newest + 1, from + together);
        for (std::int64_t s = from; s < end; ++s) step(s, wave - apart * s);
      });
      if (wave % 1024 == 0) advance(static_cast<double>(wave) / static_cast<double>(last + 1));
    }
  }

  void give(T* d, T* e) const {
    for (std::int64_t i = 0; i < n_; ++i) d[i] = *at(i, i);
    for (std::int64_t i = 0; i + 1 < n_; ++i) e[i] = *at(i, i + 1);
  }

 private:
  static constexpr std::int64_t apart = 3;
  static constexpr std::int64_t together = 4;

  T* at(std::int64_t r, std::int64_t c) const { return origin_ + r + c * ld; }

  // Step t of row s begins in column s + 1 + t·band, which must be one.
  std::int64_t first_alive(std::int64_t wave) const {
    // s + 1 + (wave − apart·s)·band <= n − 1
    const std::int64_t over = wave * band + 2 - n_;
    return over <= 0 ? 0 : parts_of(over, apart * band - 1);
  }

  void step(std::int64_t s, std::int64_t t) const {
    const std::int64_t first = s + 1 + t * band, end = std::min(n_, first + band), n = end - first;
    const std::int64_t row = t == 0 ? s : first - band;
    T v[band], x[2 * band];
    if (const T tau = reflector(at(row, first), ld, n, v); tau != 0)
      reflect_rows(v, tau, n, at(row + 1, first), ld, end - row - 1, x);
    const T tau = reflector(at(first, first), 1, n, v);
    if (tau != 0) reflect_columns(v, tau, n, at(first, first + 1), ld, std::min(n_, end + band) - first - 1);
  }

  // v and tau of the reflector that leaves only the first element of x.
  static T reflector(T* x, std::int64_t step, std::int64_t n, T* v) {
    for (std::int64_t i = 0; i < n; ++i) v[i] = x[i * step];
    const Reflector<T> h(v[0], sum_of_squares(v + 1, n - 1));
    x[0] = h.beta;
    for (std::int64_t i = 1; i < n; ++i) v[i] *= h.scale, x[i * step] = 0;
    v[0] = 1;
    return h.tau;
  }

  static constexpr std::int64_t ld = 3 * band;  // from one column to the next in the same row

  std::int64_t n_;
  Team& team_;
  T* origin_;
};

}  // namespace

template <class T>
std::int64_t TwoStageReduction<T>::work_size(std::int64_t rows, std::int64_t cols) {
  return std::max(Banding<T>::work_size(rows, cols), Chase<T>::work_size(cols));
}

template <class T>
void TwoStageReduction<T>::run(Team& team) const {
  {
    const Stage banding(0, 0.7);
    Banding<T>(*this, team).run();
  }
  const Stage chasing(0.7, 1);
  const Chase<T> chase(*this, team);
  chase.load(*this);
  chase.run();
  chase.give(d, e);
}

template class TwoStageReduction<float>;
template class TwoStageReduction<double>;

}  // namespace fsvd
