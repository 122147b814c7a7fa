#include "tsqr.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <type_traits>

#include "core/base/copy.h"
#include "core/threads/task.h"
#include "narrow_reflectors.h"
#include "reflectors.h"

namespace fsvd {
namespace {

// Rows of a block: the R's are a sixteenth of them, and so is the work above. From some 500 columns on the cache
// gains more by blocks of half as many.
constexpr std::int64_t least_rows = 256;

constexpr std::int64_t block_rows(std::int64_t cols) { return std::max(least_rows, (cols <= 512 ? 16 : 8) * cols); }

// Equal pieces of memory, each of which one thread has at a time.
template <class T>
class Scratches {
 public:
  Scratches(T* memory, std::int64_t count, std::int64_t size)
      : memory_(memory), size_(size), free_(~std::uint64_t{0} >> (64 - count)) {}

  class Use {
   public:
    explicit Use(Scratches& all) : all_(all) {
      std::uint64_t free = 0;
      do free = all.free_, bit_ = free & -free;
      while (free == 0 || !all.free_.compare_exchange_weak(free, free & ~bit_));
    }
    ~Use() { all_.free_ |= bit_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    T* memory() const { return all_.memory_ + __builtin_ctzll(bit_) * all_.size_; }

   private:
    Scratches& all_;
    std::uint64_t bit_;
  };

 private:
  T* memory_;
  std::int64_t size_;
  std::atomic<std::uint64_t> free_;
};

// Stages by their sizes.
struct Progress {
  const double total;
  double done = 0;

  explicit Progress(std::int64_t total) : total(static_cast<double>(total)) {}
  Stage next(std::int64_t size) {
    const double from = done;
    done += static_cast<double>(size) / total;
    return {from, done};
  }
};

}  // namespace

template <class T>
Tsqr<T>::Tsqr(std::int64_t rows, std::int64_t cols, int threads) : cols_(cols), threads_(threads) {
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
  std::int64_t sum = scratches() * scratch();
  for (const Level& level : levels_) {
    if (&level != &levels_.front()) sum += level.row(level.blocks) * cols_;
    sum += level.blocks * (scalars() + cols_ * cols_);
  }
  return sum;
}

// Of all depths.
template <class T>
std::int64_t Tsqr<T>::all_rows() const {
  std::int64_t sum = 0;
  for (const Level& level : levels_) sum += level.row(level.blocks);
  return sum;
}

// Few blocks are each cut into parts, of many each is a part itself.
template <class T>
void Tsqr<T>::each_block(Team& team, const Level& level, FunctionRef<void(Team&, std::int64_t, T*)> block) const {
  if (level.blocks == 1) return block(team, 0, scratch_);
  const std::int64_t parts = groups(level);
  Scratches<T> scratches(scratch_, this->scratches(), scratch());
  std::atomic<std::int64_t> done{0};
  team.each(parts, [&](std::int64_t part) {
    const typename Scratches<T>::Use scratch(scratches);
    Team alone(true);
    for (std::int64_t b = part; b < level.blocks; b += parts, look_up()) {
      block(alone, b, scratch.memory());
      advance(static_cast<double>(++done) / static_cast<double>(level.blocks));
    }
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
void Tsqr<T>::factor_block(Team& team, Level& level, std::int64_t block, T* x, T* scratch) const {
  const std::int64_t rows = level.rows(block);
  T *own = level.scalars + block * scalars(), *r = corner(level, block);
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
int Tsqr<T>::factor(Team& team, Load load, T* memory, T* q, T* r) {
  const auto take = [&](std::int64_t n) { return memory += n, memory - n; };
  for (Level& level : levels_) {
    level.data = &level == &levels_.front() ? q : take(level.row(level.blocks) * cols_);
    level.scalars = take(level.blocks * scalars());
    level.corners = take(level.blocks * cols_ * cols_);
  }
  scratch_ = memory;
  Progress progress(all_rows());
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    Level& level = levels_[l];
    const Stage factoring = progress.next(level.row(level.blocks));
    each_block(team, level, [&](Team& own, std::int64_t block, T* scratch) {
      T* const x = level.data ? reflectors(level, block) : scratch;
      if (l == 0) level.exponents[block] = load(level.row(block), level.rows(block), x);
      else stack(levels_[l - 1], level, block);
      factor_block(own, level, block, x, level.data ? scratch : scratch + level.rows(block) * cols_);
    });
  }
  std::copy_n(corner(levels_.back(), 0), cols_ * cols_, r);
  return levels_.back().exponents[0];
}

template <class T>
void Tsqr<T>::apply(Team& team, const T* c, Store store) const {
  std::copy_n(c, cols_ * cols_, corner(levels_.back(), 0));
  Progress progress(all_rows());
  for (std::size_t l = levels_.size(); l-- > 0;) {
    const Level& level = levels_[l];
    const Stage multiplying = progress.next(level.row(level.blocks));
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
