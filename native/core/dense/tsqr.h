// Orthogonal-triangular decomposition of a tall matrix whose rows are cut into blocks: TSQR.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/base/callable.h"
#include "core/base/memory.h"
#include "core/threads/team.h"

namespace fsvd {

// a = 2^e·Q·R, a rows x cols. Every block of rows has a QR decomposition of its own, the R's of some of them one below
// the other have one again, and so on up a tree, whose form follows from the shape. Blocks are so short that the
// rounding errors of sums over equal elements stay small however many rows there are, and lie in a cache; each is read
// from where the matrix lies and has its part of the product with Q written to where that belongs.
// (Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations",
// SIAM J. Sci. Comput. 34 (2012).)
//
// In place of ?geqrf where it is at most two thirds as wide as tall. The time of ?geqrf over this one's (measured as in
// dense.h): 1.2 for 1024 x 16 and 4096 x 32, 2.1 for 4096 x 64, 3.2 for 4096 x 128, 3.9 for 16384 x 128. To be deleted
// for a ?latsqr that reads rows from where they lie, with the same bits for any number of threads.
template <class T>
class Tsqr {
 public:
  // Fills x (count x cols, column-major without gaps) with rows first … of a divided by a power of two, its exponent
  // the result: elements must not be far from 1.
  using Load = FunctionRef<int(std::int64_t first, std::int64_t count, T* x)>;
  using Store = FunctionRef<void(std::int64_t first, std::int64_t count, const T* x)>;

  // For as many threads as there are in the team that it is used with.
  Tsqr(std::int64_t rows, std::int64_t cols, int threads);
  std::int64_t size() const;  // elements of `memory`

  // R (cols x cols, without gaps) into r; the result is e. What Q needs of each block of rows goes into q (rows x cols), as
  // many elements as the block has and in its place; null: Q is not applied.
  int factor(Team& team, Load load, T* memory, T* q, T* r);
  // The rows of Q·c, c cols x cols without gaps. What q has of them is not needed any more when they are stored.
  void apply(Team& team, const T* c, Store store) const;

 private:
  // Blocks of one depth of the tree. A unit is a row of a, or further up the R of a block below.
  struct Level {
    std::int64_t blocks, units, unit_rows;
    T *data = nullptr, *scalars = nullptr, *corners = nullptr;  // reflectors; tau or T; R, and later c, of every block
    Vector<int> exponents;

    std::int64_t unit(std::int64_t block) const { return block * units / blocks; }
    std::int64_t row(std::int64_t block) const { return unit(block) * unit_rows; }
    std::int64_t rows(std::int64_t block) const { return row(block + 1) - row(block); }
    std::int64_t most_rows() const { return (units + blocks - 1) / blocks * unit_rows; }
  };
  // Blocks that one thread takes one after the other.
  static constexpr std::int64_t most_groups = 64;
  static std::int64_t groups(const Level& level) { return std::min(level.blocks, most_groups); }
  // Memory for each thread at work.
  std::int64_t scratches() const { return std::min(groups(levels_.front()), threads_); }

  bool narrow() const;
  std::int64_t scalars() const;  // of one block
  std::int64_t scratch() const;  // of one group
  T* corner(const Level& level, std::int64_t block) const { return level.corners + block * cols_ * cols_; }
  T* reflectors(const Level& level, std::int64_t block) const { return level.data + level.row(block) * cols_; }
  std::int64_t all_rows() const;
  void each_block(Team& team, const Level& level, FunctionRef<void(Team&, std::int64_t, T*)> block) const;
  void stack(const Level& below, Level& level, std::int64_t block) const;
  void factor_block(Team& team, Level& level, std::int64_t block, T* x, T* scratch) const;
  void multiply_block(Team& team, const Level& level, std::int64_t block, T* x, T* scratch) const;

  const std::int64_t cols_, threads_;
  Vector<Level> levels_;
  T* scratch_ = nullptr;
};

}  // namespace fsvd
