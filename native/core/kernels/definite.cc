#include "definite.h"

#include <algorithm>
#include <cmath>

#include "core/base/arithmetic.h"
#include "core/base/lapack.h"
#include "core/threads/task.h"
#include "core/threads/team.h"

namespace fsvd {
namespace {

constexpr std::int64_t panel = 128, tile = 384;

// The Cholesky decomposition of an n x n matrix with leading dimension ld, column by column of panels; the lower triangle of
// a row-major matrix is the upper one to BLAS: A = U^T * U.
struct Decomposition {
  std::int64_t n;
  double* a;

  double* at(std::int64_t row, std::int64_t col) const { return a + row * n + col; }

  bool run(Team& team) const {
    for (std::int64_t k = 0; k < n; k += panel) {
      const std::int64_t width = std::min(panel, n - k), below = k + width;
      if (lapack::potrf('U', width, at(k, k), n) != 0 || !all_positive(k, width)) return false;
      if (below == n) return true;
      solve(team, k, width, below);
      update(team, k, width, below);
      advance(1 - std::pow(static_cast<double>(n - below) / static_cast<double>(n), 3));
    }
    return true;
  }

 private:
  // ?potrf of OpenBLAS goes on after a pivot that is NaN.
  bool all_positive(std::int64_t k, std::int64_t width) const {
    for (std::int64_t j = k; j < k + width; ++j)
      if (!(*at(j, j) > 0) || !std::isfinite(*at(j, j))) return false;
    return true;
  }

  void solve(Team& team, std::int64_t k, std::int64_t width, std::int64_t below) const {
    team.each(parts_of(n - below, tile), [&](std::int64_t part) {
      const std::int64_t row = below + part * tile, rows = std::min(tile, n - row);
      lapack::trsm('L', 'U', 'T', 'N', width, rows, 1.0, at(k, k), n, at(row, k), n);
    });
  }

  // What lies below and to the right, in tiles on and below the diagonal.
  void update(Team& team, std::int64_t k, std::int64_t width, std::int64_t below) const {
    const std::int64_t tiles = parts_of(n - below, tile);
    team.each(tiles * (tiles + 1) / 2, [&](std::int64_t part) {
      std::int64_t r = 0, c = part;
      while (c > r) c -= ++r;
      const std::int64_t row = below + r * tile, col = below + c * tile;
      const std::int64_t rows = std::min(tile, n - row), cols = std::min(tile, n - col);
      lapack::gemm('T', 'N', cols, rows, width, -1.0, at(col, k), n, at(row, k), n, 1.0, at(row, col), n);
    });
  }
};

}  // namespace

void Definite::operator()(std::int64_t i) const {
  Team team;
  status[i].set(Status::ok);
  status[i].driver = Decomposition{a.rows, a.item(i)}.run(team) ? 1 : 0;
}

}  // namespace fsvd
