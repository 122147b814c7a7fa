#include "kernels.h"

#include <algorithm>
#include <type_traits>

#include "core/cholesky.h"
#include "core/geev.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/gram.h"
#include "core/gram_svd.h"
#include "core/qr.h"
#include "core/scaled_core.h"
#include "core/scan.h"

namespace fsvd {
namespace {

template <class Kernel>
Work work(Kernel kernel, std::int64_t units, double flops_each) {
  return {units, flops_each * static_cast<double>(units), kernel};
}

double product(std::int64_t a, std::int64_t b, std::int64_t c = 1) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// Exponents of columns, whose differences are exponents too; or null.
const std::int32_t* column_exponents(Arguments& in, std::int64_t length) {
  constexpr std::int32_t most = 1 << 20;
  const std::int32_t* e = in.array<std::int32_t>(length);
  in.require(!e || std::all_of(e, e + length, [](std::int32_t x) { return x >= -most && x <= most; }),
             "exponents beyond all numbers");
  return e;
}

// One builder for both types: Build<T>::work, chosen by the typed array that comes after `ahead` others.
template <template <class> class Build, int ahead = 0>
Work either(Arguments& in) {
  return in.is<float>(ahead) ? Build<float>::work(in) : Build<double>::work(in);
}

// a, vectors, scales, u, s, vh, status
template <class T>
struct BuildGesdd {
  static Work work(Arguments& in) {
    Gesdd<T> k;
    k.a = in.batch<T>();
    const std::int64_t vectors = in.integer();
    in.require(vectors >= 0 && vectors <= 2, "unknown vectors");
    k.vectors = static_cast<Vectors>(vectors);
    k.scales = column_exponents(in, in.extent(k.a.count, k.a.cols));
    const std::int64_t n = k.a.count, rows = k.a.rows, cols = k.a.cols, p = std::min(rows, cols);
    const bool full = k.vectors == Vectors::full, none = k.vectors == Vectors::none;
    k.u = in.required_array<T>(none ? 0 : in.extent(n, rows, full ? rows : p));
    k.s = in.required_array<T>(in.extent(n, p));
    k.vh = in.required_array<T>(none ? 0 : in.extent(n, full ? cols : p, cols));
    k.status = in.statuses(n);
    return fsvd::work(k, n, k.flops());
  }
};

// a, b, exponents, c, scales
Work scaled_core_work(Arguments& in) {
  ScaledCore k;
  k.a = in.batch<double>();
  k.b = in.batch<double>();
  const std::int64_t n = k.a.count, l = k.a.rows, r = k.b.rows;
  in.require(k.b.count == n && k.b.cols == k.a.cols && r <= k.b.cols, "factors of other shapes");
  k.exponents = column_exponents(in, in.extent(n, k.a.cols));
  in.require(k.exponents || k.a.cols == 0, "expected exponents");
  k.c = in.required_array<double>(in.extent(n, l, r));
  k.scales = in.required_array<std::int32_t>(in.extent(n, r));
  return work(k, n, 2 * product(l, k.a.cols, r));
}

// a, q, t, r, status
Work qr_work(Arguments& in) {
  Qr k;
  k.a = in.batch<double>();
  k.q = in.required_array<double>(in.extent(k.a.count, k.a.rows, k.a.cols));
  const std::int64_t reflectors = std::min(k.a.rows, k.a.cols);
  k.t = in.required_array<double>(in.extent(k.a.count, reflectors, reflectors));
  k.r = in.required_array<double>(in.extent(k.a.count, reflectors, k.a.cols));
  k.status = in.statuses(k.a.count);
  return work(k, k.a.count, 2 * product(k.a.rows, k.a.cols, k.a.cols));
}

// c, rows, columns of q, q, t, out, status
Work apply_q_work(Arguments& in) {
  ApplyQ k;
  k.c = in.batch<double>();
  k.rows = in.dimension();
  k.q_cols = in.dimension();
  in.require(k.c.rows == std::min(k.rows, k.q_cols), "c has another number of rows than Q has reflectors");
  k.q = in.required_array<double>(in.extent(k.c.count, k.rows, k.q_cols));
  k.t = in.required_array<double>(in.extent(k.c.count, k.c.rows, k.c.rows));
  k.out = in.required_array<double>(in.extent(k.c.count, k.rows, k.c.cols));
  k.status = in.statuses(k.c.count);
  return work(k, k.c.count, 2 * product(k.rows, k.c.rows, k.c.cols));
}

// a, b, alpha, beta, positions, c, status
template <class T>
struct BuildGemm {
  static Work work(Arguments& in) {
    Gemm<T> k;
    k.a = in.batch<T>();
    k.b = in.batch<T>();
    in.require(k.a.count == k.b.count, "the operands have different numbers of items");
    in.require(k.a.cols == k.b.rows, "inner dimensions differ");
    k.alpha = static_cast<T>(in.number());
    k.beta = static_cast<T>(in.number());
    k.positions = in.positions(k.a.count);
    const std::int64_t size = in.extent(1, k.a.rows, k.b.cols);
    k.c = in.items_at<T>(k.positions, k.a.count, size);
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, size > 0 ? k.a.count * k.blocks() : 0, 2 * product(k.a.rows, k.a.cols, k.b.cols) / k.blocks());
  }
};

// a, perm, exponents, root, parts, squares
template <class T>
struct BuildGram {
  static Work work(Arguments& in) {
    Gram<T> k;
    k.a = in.batch<T>();
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.root = in.array<T>(in.extent(k.a.count, k.a.cols, k.a.cols));
    const std::int64_t units = k.a.count * gram_blocks(k.a.rows, k.a.cols);
    k.parts = in.required_array<double>(in.extent(units, k.a.cols, k.a.cols));
    k.squares = in.required_array<double>(in.extent(units, k.a.cols));
    return fsvd::work(k, units, product(gram_block_rows(k.a.rows, k.a.cols), k.a.cols, k.a.cols));
  }
};

// count, rows, k, root, parts, source, perm, exponents, unit, root_d, r, status
template <class T, template <class> class Kernel>
Work cholesky_work(Arguments& in) {
  Kernel<T> k;
  k.count = in.dimension();
  const std::int64_t rows = in.dimension();
  k.k = in.dimension();
  k.blocks = gram_blocks(rows, k.k);
  const std::int64_t squares = in.extent(k.count, k.k, k.k);
  k.root = in.required_array<T>(squares);
  k.parts = in.sourced_array(k.source, k.count, in.extent(k.blocks, k.k, k.k));
  k.gauge = in.gauge_with_perm(k.count, k.k);
  k.unit = in.required_array<std::int32_t>(in.extent(k.count, k.k));
  if (std::is_same_v<Kernel<T>, CholeskyAgain<T>>) in.require_exponents(k.unit, k.count * k.k);
  k.root_d = in.required_array<double>(squares);
  k.r = in.required_array<double>(squares);
  k.status = in.statuses(k.count);
  return work(k, k.count, product(k.k, k.k, k.k));
}

template <class T>
struct BuildCholesky {
  static Work work(Arguments& in) { return cholesky_work<T, Cholesky>(in); }
};

template <class T>
struct BuildCholeskyAgain {
  static Work work(Arguments& in) { return cholesky_work<T, CholeskyAgain>(in); }
};

// count, k, p, parts, source, perm, exponents, x and rows, for the left factor and for the right one, then s, status
Work gram_svd_work(Arguments& in) {
  GramSvd k;
  k.count = in.dimension(), k.k = in.dimension(), k.p = std::min(in.dimension(), k.k);
  in.require(k.k > 0, "expected one column or more");
  for (GramSvd::Factor* f : {&k.left, &k.right}) {
    f->blocks = gram_blocks(in.dimension(), k.k);
    f->parts = in.sourced_array(f->source, k.count, in.extent(f->blocks, k.k, k.k));
    f->gauge = in.gauge_with_perm(k.count, k.k);
    f->x = in.array<float>(in.extent(k.count, k.k, k.p));
  }
  in.require(!k.left.x == !k.right.x, "singular vectors of one side only");
  k.s = in.required_array<double>(in.extent(k.count, k.k));
  k.status = in.statuses(k.count);
  return work(k, k.count, 6 * product(k.k, k.k, k.k));
}

// c, narrow, transposed, perm, unit, root_d, x; x is float32 when `narrow` says so or c is
template <class T, class C>
Work solve_root_work(Arguments& in, const Batch<const C>& c) {
  SolveRoot<T, C> k;
  k.c = c;
  k.transposed = in.boolean();
  k.gauge = in.gauge(c.count, c.rows);
  k.root_d = in.required_array<double>(in.extent(c.count, c.rows, c.rows));
  const std::int64_t size = in.extent(c.count, c.rows, c.cols);
  k.x = in.required_array<T>(size);
  return work(k, size > 0 ? c.count * k.blocks() : 0,
              product(c.rows, c.rows, c.cols) / static_cast<double>(k.blocks()));
}

template <class C>
struct BuildSolveRoot {
  static Work work(Arguments& in) {
    const Batch<const C> c = in.batch<C>();
    const bool narrow = in.boolean();
    return narrow ? solve_root_work<float, C>(in, c) : solve_root_work<C, C>(in, c);
  }
};

// a, perm, unit, root, p, x, transposed, positions, out
template <class T>
struct BuildMultiplySolved {
  static Work work(Arguments& in) {
    MultiplySolved<T> k;
    k.a = in.batch<T>();
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.root = in.required_array<T>(in.extent(k.a.count, k.a.cols, k.a.cols));
    k.p = in.dimension();
    k.x = in.required_array<T>(in.extent(k.a.count, k.a.cols, k.p));
    k.transposed = in.boolean();
    k.positions = in.positions(k.a.count);
    k.out = in.items_at<T>(k.positions, k.a.count, in.extent(1, k.a.rows, k.p));
    return fsvd::work(k, k.a.count * gram_blocks(k.a.rows, k.a.cols),
                      product(gram_block_rows(k.a.rows, k.a.cols), k.a.cols, k.a.cols + 2 * k.p));
  }
};

// a, real, imag, status
template <class T>
struct BuildGeev {
  static Work work(Arguments& in) {
    Geev<T> k;
    k.a = in.batch<T>();
    in.require(k.a.rows == k.a.cols, "expected square matrices");
    k.real = in.required_array<T>(in.extent(k.a.count, k.a.rows));
    k.imag = in.required_array<T>(in.extent(k.a.count, k.a.rows));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count, 10 * product(k.a.rows, k.a.rows, k.a.rows));
  }
};

// a, fraction, exponent, status
template <class T>
struct BuildScan {
  static Work work(Arguments& in) {
    Scan<T> k;
    k.a = in.batch<T>();
    k.fraction = in.required_array<double>(in.extent(k.a.count, k.a.cols));
    k.exponent = in.required_array<std::int32_t>(in.extent(k.a.count, k.a.cols));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count, 2 * product(k.a.rows, k.a.cols));
  }
};

// a, perm, exponents, alpha, accumulate, whether out is column-major, stride of its items, positions in it, out
template <class In, class Out>
Work pack_work(Arguments& in, const Batch<const In>& a) {
  Pack<In, Out> k;
  k.a = a;
  k.gauge = in.gauge(a.count, a.cols);
  k.alpha = in.number();
  k.accumulate = in.boolean();
  k.column_major = in.boolean();
  k.stride = in.dimension();
  k.positions = in.positions(a.count);
  k.out = in.strided_items<Out>(k.positions, a.count, k.stride, a.size());
  return work(k, a.size() > 0 ? a.count * k.blocks() : 0,
              2 * product(a.rows, a.cols) / static_cast<double>(k.blocks()));
}

// How the elements of `a` are stored, as in lib/array/elements.ts.
enum class Format { float32, float64, bfloat16, float16 };

template <class In>
Work pack_from(Arguments& in) {
  const Batch<const In> a = in.batch<In>();
  return in.boolean() ? pack_work<In, float>(in, a) : pack_work<In, double>(in, a);
}

// format of a, a, whether out is float32, then as above
Work any_pack_work(Arguments& in) {
  const std::int64_t format = in.integer();
  in.require(format >= 0 && format <= 3, "unknown format");
  switch (static_cast<Format>(format)) {
    case Format::float32: return pack_from<float>(in);
    case Format::bfloat16: return pack_from<Bfloat16>(in);
    case Format::float16: return pack_from<Float16>(in);
    default: return pack_from<double>(in);
  }
}

// a, out
template <class T>
Work copy_work(Arguments& in) {
  Copy<T> k;
  k.a = in.batch<T>();
  k.out = in.items_at<T>(nullptr, k.a.count, k.a.size());
  return work(k, k.a.size() > 0 ? k.a.count : 0, product(k.a.rows, k.a.cols));
}

Work any_copy_work(Arguments& in) {
  if (in.is<std::uint16_t>(0)) return copy_work<std::uint16_t>(in);
  return in.is<float>(0) ? copy_work<float>(in) : copy_work<double>(in);
}

}  // namespace

const std::vector<Kernel>& kernel_table() {
  static const std::vector<Kernel> table{
      {"gesdd", either<BuildGesdd>},
      {"scaledCore", scaled_core_work},
      {"qr", qr_work},
      {"applyQ", apply_q_work},
      {"gram", either<BuildGram>},
      {"cholesky", either<BuildCholesky, 3>},
      {"choleskyAgain", either<BuildCholeskyAgain, 3>},
      {"gramSvd", gram_svd_work},
      {"solveRoot", either<BuildSolveRoot>},
      {"multiplySolved", either<BuildMultiplySolved>},
      {"gemm", either<BuildGemm>},
      {"geev", either<BuildGeev>},
      {"scan", either<BuildScan>},
      {"pack", any_pack_work},
      {"copy", any_copy_work},
  };
  return table;
}

}  // namespace fsvd
