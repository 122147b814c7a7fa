// Two fixed cases over native/core, to be counted by callgrind: `cases none|product|dense`.
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/blas_threads.h"
#include "core/cholesky.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/gram.h"

using namespace fsvd;
using Doubles = std::vector<double>;

static Doubles uniform(std::size_t n, unsigned state) {
  Doubles x(n);
  for (double& v : x) v = (state = state * 1664525u + 1013904223u) / 2147483648.0 - 1;
  return x;
}

static Batch<const double> packed(const Doubles& x, std::int64_t count, std::int64_t rows, std::int64_t cols,
                                  Doubles& offsets) {
  offsets.resize(count);
  for (std::int64_t i = 0; i < count; ++i) offsets[i] = static_cast<double>(i * rows * cols);
  return {x.data(), rows, cols, cols, 1, offsets.data(), count};
}

template <class Kernel>
static void run(const Kernel& kernel, std::int64_t units) {
  for (std::int64_t unit = 0; unit < units; ++unit) kernel(unit);
}

static Doubles dense(const Doubles& a, std::int64_t count, std::int64_t n) {
  Doubles offsets, u(count * n * n), s(count * n), vh(count * n * n);
  std::vector<Status> status(count);
  Gesdd<double> k;
  k.a = packed(a, count, n, n, offsets);
  k.u = u.data(), k.s = s.data(), k.vh = vh.data(), k.status = status.data();
  run(k, count);
  return s;
}

// One tall factor of every head, from the Gram matrix to Q * R * R^T, and the SVD of the core.
static Doubles product(std::int64_t count, std::int64_t l, std::int64_t k) {
  const Doubles a = uniform(count * l * k, 1);
  Doubles offsets, more, parts(count * k * k), squares(count * k), root_d(count * k * k), root(count * k * k),
      r(count * k * k), core(count * k * k), x(count * k * k), q(count * l * k);
  std::vector<std::int32_t> perm(count * k), exponents(count * k), unit(count * k);
  for (std::size_t j = 0; j < perm.size(); ++j) perm[j] = static_cast<std::int32_t>(j % k);
  std::vector<Status> status(count);
  Gram<double> gram;
  gram.a = packed(a, count, l, k, offsets), gram.parts = parts.data(), gram.squares = squares.data();
  run(gram, count);
  Cholesky<double> cholesky;
  cholesky.parts = parts.data(), cholesky.count = count, cholesky.blocks = 1, cholesky.k = k;
  cholesky.gauge = {perm.data(), exponents.data()}, cholesky.unit = unit.data(), cholesky.root_d = root_d.data();
  cholesky.root = root.data(), cholesky.r = r.data(), cholesky.status = status.data();
  run(cholesky, count);
  Gemm<double> square;
  square.a = packed(r, count, k, k, more);
  square.b = {r.data(), k, k, 1, k, more.data(), count};
  square.c = core.data(), square.status = status.data();
  run(square, count * square.blocks());
  SolveRoot<double, double> solve;
  solve.root_d = root_d.data(), solve.gauge = {perm.data(), unit.data()}, solve.c = packed(core, count, k, k, more);
  solve.x = x.data();
  run(solve, count);
  Gemm<double> lift;
  Doubles x_offsets;
  lift.a = gram.a, lift.b = packed(x, count, k, k, x_offsets), lift.c = q.data(), lift.status = status.data();
  run(lift, count * lift.blocks());
  return dense(core, count, k);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  blas::initialise();
  Doubles s{0};
  if (!std::strcmp(argv[1], "product")) s = product(8, 256, 32);
  if (!std::strcmp(argv[1], "dense")) s = dense(uniform(4 * 64 * 64, 2), 4, 64);
  std::printf("%.6g\n", s[0]);
}
