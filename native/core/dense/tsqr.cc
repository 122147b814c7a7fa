#include "tsqr.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/base/copy.h"
#include "core/threads/task.h"
#include "narrow_reflectors.h"
#include "reflectors.h"

namespace fsvd {
namespace {

// Rows of a block: the R's are a sixteenth of them, and so is the work above.
constexpr std::int64_t least_rows = 256, least_ratio = 16;

constexpr std::int64_t block_rows(std::int64_t cols) { return std::max(least_rows, least_ratio * cols); }

}  // namespace

template <class T>
Tsqr<T>::Tsqr(std::int64_t rows, std::int64_t cols) : cols_(cols) {
  for (std::int64_t units = rows, unit_rows = 1;; unit_rows = cols) {
    const std::int64_t blocks = std::max<std::int64_t>(1, units * unit_rows / block_rows(cols));
    levels_.push_back({blocks, units, unit_rows, nullptr, nullptr, nullptr, Vector<int>(blocks)});
    if (blocks == 1) return;
    units = blocks;
  }
}

template <class T>
bool Tsqr<T>::narrow() const {
  return std::is_same_v<T, double> && cols_ <= narrow_cols;
}

template <class T>
std::int64_t Tsqr<T>::scalars() const {
  return narrow() ? cols_ : Reflectors<T>::t_size(cols_);
}

template <class T>
std::int64_t Tsqr<T>::scratch() const {
  std::int64_t most = 0;
  for (const Level& level : levels_) most = std::max(most, level.most_rows());
  return most * cols_ + (narrow() ? cols_ : reflector_work(cols_, cols_));
}

template <class T>
std::int64_t Tsqr<T>::size() const {
  std::int64_t sum = groups(levels_.front()) * scratch();
  for (const Level& level : levels_)
    sum += level.units * level.unit_rows * cols_ + level.blocks * (scalars() + cols_ * cols_);
  return sum;
}

// Few blocks are each cut into parts, of many each is a part itself.
template <class T>
void Tsqr<T>::each_block(Team& team, const Level& level, FunctionRef<void(Team&, std::int64_t, T*)> block) const {
  if (level.blocks == 1) return block(team, 0, scratch_);
  const std::int64_t parts = groups(level);
  team.each(parts, [&](std::int64_t part) {
    Team alone(true);
    for (std::int64_t b = part; b < level.blocks; b += parts, look_up()) block(alone, b, scratch_ + part * scratch());
  });
}

// The R's of the blocks below, brought to one power of two.
template <class T>
void Tsqr<T>::stack(const Level& below, Level& level, std::int64_t block) const {
  const std::int64_t from = level.unit(block), to = level.unit(block + 1), ld = level.rows(block), one = 1;
  const auto first = below.exponents.begin();
  const int exponent = level.exponents[block] = *std::max_element(first + from, first + to);
  for (std::int64_t k = from; k < to; ++k) {
    T* r = corner(below, k);
    if (const int by = below.exponents[k] - exponent)
      std::transform(r, r + cols_ * cols_, r, [=](T x) { return std::ldexp(x, by); });
    copy(r, one, cols_, reflectors(level, block) + (k - from) * cols_, one, ld, cols_, cols_);
  }
}

template <class T>
void Tsqr<T>::factor_block(Team& team, Level& level, std::int64_t block, T* scratch) const {
  const std::int64_t rows = level.rows(block);
  T *x = reflectors(level, block), *own = level.scalars + block * scalars(), *r = corner(level, block);
  bool whole = true;
  if constexpr (std::is_same_v<T, double>) {
    if (narrow()) narrow_qr(x, rows, cols_, scratch, own), whole = false;
  }
  if (whole) qr_in_place(team, x, rows, rows, cols_, own, scratch);
  for (std::int64_t c = 0; c < cols_; ++c) {
    std::copy_n(x + c * rows, c + 1, r + c * cols_);
    std::fill_n(r + c * cols_ + c + 1, cols_ - c - 1, T(0));
    if (!whole) r[c * (cols_ + 1)] = scratch[c];
  }
}

template <class T>
void Tsqr<T>::multiply_block(Team& team, const Level& level, std::int64_t block, T* x, T* scratch) const {
  const std::int64_t rows = level.rows(block);
  const T* v = reflectors(level, block);
  T* own = level.scalars + block * scalars();
  const T* c = corner(level, block);
  for (std::int64_t j = 0; j < cols_; ++j) {
    std::copy_n(c + j * cols_, cols_, x + j * rows);
    std::fill_n(x + j * rows + cols_, rows - cols_, T(0));
  }
  if constexpr (std::is_same_v<T, double>) {
    if (narrow()) return multiply({v, own, rows, rows, cols_, 0}, x, cols_);
  }
  multiply_left(team, Reflectors<T>{v, rows, rows, cols_, false, own}, x, rows, cols_, scratch);
}

template <class T>
int Tsqr<T>::factor(Team& team, Load load, T* memory, T* r) {
  const auto take = [&](std::int64_t n) { return memory += n, memory - n; };
  for (Level& level : levels_) {
    level.data = take(level.units * level.unit_rows * cols_);
    level.scalars = take(level.blocks * scalars());
    level.corners = take(level.blocks * cols_ * cols_);
  }
  scratch_ = memory;
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    Level& level = levels_[l];
    each_block(team, level, [&](Team& own, std::int64_t block, T* scratch) {
      if (l == 0) level.exponents[block] = load(level.row(block), level.rows(block), reflectors(level, block));
      else stack(levels_[l - 1], level, block);
      factor_block(own, level, block, scratch);
    });
  }
  std::copy_n(corner(levels_.back(), 0), cols_ * cols_, r);
  return levels_.back().exponents[0];
}

template <class T>
void Tsqr<T>::apply(Team& team, const T* c, Store store) const {
  std::copy_n(c, cols_ * cols_, corner(levels_.back(), 0));
  for (std::size_t l = levels_.size(); l-- > 0;) {
    const Level& level = levels_[l];
    each_block(team, level, [&](Team& own, std::int64_t block, T* scratch) {
      const std::int64_t rows = level.rows(block), one = 1;
      multiply_block(own, level, block, scratch, scratch + rows * cols_);
      if (l == 0) return store(level.row(block), rows, scratch);
      for (std::int64_t k = level.unit(block); k < level.unit(block + 1); ++k)
        copy(scratch + (k - level.unit(block)) * cols_, one, rows, corner(levels_[l - 1], k), one, cols_, cols_, cols_);
    });
  }
}

template class Tsqr<float>;
template class Tsqr<double>;

}  // namespace fsvd
