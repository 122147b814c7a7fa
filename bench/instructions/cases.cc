// Two fixed cases over native/core, to be counted by callgrind: `cases none|product|dense`.
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "core/kernels/cholesky.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gram.h"
#include "core/kernels/svd.h"
#include "core/threads/blas_threads.h"

using namespace fsvd;
using Doubles = std::vector<double>;

static Doubles uniform(std::size_t n, unsigned state) {
  Doubles x(n);
  for (double& v : x) v = (state = state * 1664525u + 1013904223u) / 2147483648.0 - 1;
  return x;
}

static Batch<const double> packed(const Doubles& x, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  return fsvd::packed(x.data(), count, rows, cols);
}

static Batch<double> packed(Doubles& x, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  return fsvd::packed(x.data(), count, rows, cols);
}

template <class Kernel>
static void run(const Kernel& kernel, std::int64_t units) {
  for (std::int64_t unit = 0; unit < units; ++unit) kernel(unit);
}

static Doubles dense(const Doubles& a, std::int64_t count, std::int64_t n) {
  Doubles u(count * n * n), s(count * n), vh(count * n * n);
  std::vector<Status> status(count);
  SvdLadder<double> k;
  k.a = packed(a, count, n, n);
  k.u = packed(u, count, n, n), k.s = packed(s, count, 1, n), k.vh = packed(vh, count, n, n), k.status = status.data();
  run(k, count);
  return s;
}

// One tall factor of every head, from the Gram matrix to Q * R * R^T, and the SVD of the core.
static Doubles product(std::int64_t count, std::int64_t l, std::int64_t k) {
  const Doubles a = uniform(count * l * k, 1);
  Doubles parts(count * k * k), root_d(count * k * k), root(count * k * k), r(count * k * k), core(count * k * k),
      x(count * k * k), q(count * l * k);
  std::vector<std::int32_t> perm(count * k), exponents(count * k), unit(count * k);
  for (std::size_t j = 0; j < perm.size(); ++j) perm[j] = static_cast<std::int32_t>(j % k);
  std::vector<Status> status(count);
  const auto square = [&](Doubles& of) { return packed(of, count, k, k); };
  const auto given = [&](const Doubles& of) { return packed(of, count, k, k); };
  Gram<double> gram;
  gram.a = packed(a, count, l, k), gram.gram = square(parts);
  run(gram, count);
  Cholesky<double> cholesky;
  cholesky.gram = given(parts), cholesky.gauge = {perm.data(), exponents.data()}, cholesky.unit = unit.data();
  cholesky.root_d = square(root_d), cholesky.root = square(root), cholesky.r = square(r);
  cholesky.status = status.data();
  run(cholesky, count);
  Gemm<double> product;
  product.a = product.b = given(r), product.c = square(core), product.status = status.data();
  std::swap(product.b.row_stride, product.b.col_stride);
  run(product, count * product.blocks());
  SolveRoot<double, double> solve;
  solve.root_d = given(root_d), solve.gauge = {perm.data(), unit.data()}, solve.c = given(core), solve.x = square(x);
  run(solve, count * solve.blocks());
  Gemm<double> lift;
  lift.a = gram.a, lift.b = given(x), lift.c = packed(q, count, l, k), lift.status = status.data();
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
