#include "kernels.h"

#include <algorithm>

#include "core/base/arithmetic.h"
#include "core/kernels/cholesky.h"
#include "core/kernels/definite.h"
#include "core/kernels/geev.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gram.h"
#include "core/kernels/gram_svd.h"
#include "core/kernels/outer.h"
#include "core/kernels/pack.h"
#include "core/kernels/qr.h"
#include "core/kernels/scaled_core.h"
#include "core/kernels/scan.h"
#include "core/kernels/svd.h"

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
const std::int32_t* column_exponents(Arguments& in, const char* name, std::int64_t length) {
  const std::int32_t* e = in.optional_integers(name, length);
  if (e) in.require_exponents(e, length);
  return e;
}

// Many matrices of one shape, where a kernel expects them.
template <class T>
void require_shape(const Arguments& in, const Batch<T>& x, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  in.require(x.count == count, "another number of items");
  in.require(x.rows == rows && x.cols == cols, "another shape");
}

// Whether each row of an item lies behind the one before, and each element too.
template <class T>
void require_contiguous(const Arguments& in, const Batch<T>& x) {
  in.require(x.size() == 0 || ((x.col_stride == 1 || x.cols == 1) && (x.row_stride == x.cols || x.rows == 1)),
             "expected contiguous items");
}

template <class T>
void require_packed(const Arguments& in, const Batch<T>& x, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  require_shape(in, x, count, rows, cols);
  require_contiguous(in, x);
}

// One builder for both types: Build<T>::work, chosen by the elements of the first field.
template <template <class> class Build>
Work either(Arguments& in) {
  return in.is<float>() ? Build<float>::work(in) : Build<double>::work(in);
}

template <class T>
struct BuildSvdLadder {
  static Work work(Arguments& in) {
    SvdLadder<T> k;
    k.a = in.batch<T>("a");
    const std::int64_t vectors = in.integer("vectors");
    in.require(vectors >= 0 && vectors <= 2, "unknown vectors");
    k.vectors = static_cast<Vectors>(vectors);
    const std::int64_t only = in.integer("only");
    in.require(only >= -1 && only <= static_cast<std::int64_t>(Driver::gejsv), "no routine of LAPACK");
    if (only >= 0) k.only = static_cast<Driver>(only);
    k.scales = column_exponents(in, "scales", in.extent(k.a.count, k.a.cols));
    const std::int64_t n = k.a.count, rows = k.a.rows, cols = k.a.cols, p = std::min(rows, cols);
    const bool full = k.vectors == Vectors::full, none = k.vectors == Vectors::none;
    k.u = in.output<T>("u");
    require_packed(in, k.u, n, none ? 0 : rows, none ? 0 : full ? rows : p);
    k.s = in.output<T>("s");
    require_packed(in, k.s, n, 1, p);
    k.vh = in.output<T>("vh");
    require_packed(in, k.vh, n, none ? 0 : full ? cols : p, none ? 0 : cols);
    k.status = in.statuses(n);
    return fsvd::work(k, n, k.flops());
  }
};

Work scaled_core_work(Arguments& in) {
  ScaledCore k;
  k.a = in.batch<double>("a");
  k.b = in.batch<double>("b");
  const std::int64_t n = k.a.count, l = k.a.rows, r = k.b.rows;
  in.require(k.b.count == n && k.b.cols == k.a.cols && r <= k.b.cols, "factors of other shapes");
  k.exponents = column_exponents(in, "exponents", in.extent(n, k.a.cols));
  in.require(k.exponents || k.a.cols == 0, "expected exponents");
  k.c = in.required_array<double>("c", in.extent(n, l, r));
  k.scales = in.required_array<std::int32_t>("scales", in.extent(n, r));
  return work(k, n, 2 * product(l, k.a.cols, r));
}

Work qr_work(Arguments& in) {
  Qr k;
  k.a = in.batch<double>("a");
  k.q = in.required_array<double>("q", in.extent(k.a.count, k.a.rows, k.a.cols));
  const std::int64_t reflectors = std::min(k.a.rows, k.a.cols);
  k.t = in.required_array<double>("t", in.extent(k.a.count, reflectors, reflectors));
  k.r = in.required_array<double>("r", in.extent(k.a.count, reflectors, k.a.cols));
  k.status = in.statuses(k.a.count);
  return work(k, k.a.count, 2 * product(k.a.rows, k.a.cols, k.a.cols));
}

Work apply_q_work(Arguments& in) {
  ApplyQ k;
  k.c = in.batch<double>("c");
  k.rows = in.dimension("rows");
  k.q_cols = in.dimension("cols");
  in.require(k.c.rows == std::min(k.rows, k.q_cols), "c has another number of rows than Q has reflectors");
  k.q = in.required_array<double>("q", in.extent(k.c.count, k.rows, k.q_cols));
  k.t = in.required_array<double>("t", in.extent(k.c.count, k.c.rows, k.c.rows));
  k.out = in.required_array<double>("out", in.extent(k.c.count, k.rows, k.c.cols));
  k.status = in.statuses(k.c.count);
  return work(k, k.c.count, 2 * product(k.rows, k.c.rows, k.c.cols));
}

template <class T>
struct BuildGemm {
  static Work work(Arguments& in) {
    Gemm<T> k;
    k.a = in.batch<T>("a");
    k.b = in.batch<T>("b");
    in.require(k.a.count == k.b.count, "another number of items");
    in.require(k.a.cols == k.b.rows, "inner dimensions differ");
    k.alpha = static_cast<T>(in.number("alpha"));
    k.beta = static_cast<T>(in.flag("accumulate"));
    k.c = in.output<T>("c");
    require_shape(in, k.c, k.a.count, k.a.rows, k.b.cols);
    in.require(k.c.size() == 0 || k.c.col_stride == 1, "expected rows that lie one behind the other");
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.c.size() > 0 ? k.a.count * k.blocks() : 0,
                      2 * product(k.a.rows, k.a.cols, k.b.cols) / k.blocks());
  }
};

// The number of k x k matrices that lie below each other in an item of `gram`.
template <class T>
std::int64_t parts_below(const Arguments& in, const Batch<T>& gram) {
  const std::int64_t k = gram.cols;
  in.require(k == 0 || (gram.rows > 0 && gram.rows % k == 0), "expected square matrices below each other");
  require_contiguous(in, gram);
  return k == 0 ? 1 : gram.rows / k;
}

template <class T>
struct BuildGram {
  static Work work(Arguments& in) {
    Gram<T> k;
    k.a = in.batch<T>("a");
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.root = in.optional_batch<T>("root");
    if (k.root.data) require_packed(in, k.root, k.a.count, k.a.cols, k.a.cols);
    k.gram = in.output<double>("gram");
    k.blocks = parts_below(in, k.gram);
    require_shape(in, k.gram, k.a.count, k.blocks * k.a.cols, k.a.cols);
    return fsvd::work(k, k.a.count * k.blocks, product(parts_of(k.a.rows, k.blocks), k.a.cols, k.a.cols));
  }
};

// What both rounds have in common, after the roots of the first.
template <class Kernel>
Work cholesky_work(Arguments& in, Kernel& k) {
  k.gram = in.batch<double>("gram");
  k.blocks = parts_below(in, k.gram);
  const std::int64_t n = k.gram.count, size = k.gram.cols;
  require_packed(in, k.root, n, size, size);
  k.gauge = in.gauge_with_perm(n, size);
  k.unit = in.required_array<std::int32_t>("unit", in.extent(n, size));
  k.root_d = in.output<double>("rootD");
  require_packed(in, k.root_d, n, size, size);
  k.r = in.output<double>("r");
  require_packed(in, k.r, n, size, size);
  k.status = in.statuses(n);
  return work(k, n, product(size, size, size));
}

template <class T>
struct BuildCholesky {
  static Work work(Arguments& in) {
    Cholesky<T> k;
    k.root = in.output<T>("root");
    return cholesky_work(in, k);
  }
};

template <class T>
struct BuildCholeskyAgain {
  static Work work(Arguments& in) {
    CholeskyAgain<T> k;
    k.root = in.batch<T>("root");
    Work work = cholesky_work(in, k);
    in.require_exponents(k.unit, k.gram.count * k.gram.cols);
    return work;
  }
};

Work gram_svd_work(Arguments& in) {
  GramSvd k;
  const auto factor = [&](GramSvd::Factor& f, const char* gram, const char* perm, const char* exponents,
                          const char* x) {
    f.gram = in.batch<double>(gram);
    f.blocks = parts_below(in, f.gram);
    f.gauge = in.gauge_with_perm(f.gram.count, f.gram.cols, perm, exponents);
    f.x = in.optional_output<float>(x);
  };
  factor(k.left, "left", "leftPerm", "leftExponents", "x");
  factor(k.right, "right", "rightPerm", "rightExponents", "y");
  const std::int64_t n = k.count = k.left.gram.count, size = k.k = k.left.gram.cols;
  in.require(size > 0, "expected one column or more");
  in.require(k.right.gram.count == n && k.right.gram.cols == size, "factors of other shapes");
  in.require(!k.left.x.data == !k.right.x.data, "singular vectors of one side only");
  k.p = k.left.x.data ? k.left.x.cols : 0;
  in.require(k.p <= size, "more singular vectors than there are");
  if (k.left.x.data) require_packed(in, k.left.x, n, size, k.p), require_packed(in, k.right.x, n, k.p, size);
  k.s = in.required_array<double>("s", in.extent(n, size));
  k.status = in.statuses(n);
  return work(k, n, 6 * product(size, size, size));
}

template <class T, class C>
Work solve_root_work(Arguments& in, const Batch<const C>& c) {
  SolveRoot<T, C> k;
  k.c = c;
  k.x = in.output<T>("x");
  require_shape(in, k.x, c.count, c.rows, c.cols);
  k.gauge = in.gauge(c.count, c.rows);
  k.root_d = in.batch<double>("root");
  require_packed(in, k.root_d, c.count, c.rows, c.rows);
  return work(k, c.size() > 0 ? c.count * k.blocks() : 0,
              product(c.rows, c.rows, c.cols) / static_cast<double>(k.blocks()));
}

template <class C>
struct BuildSolveRoot {
  static Work work(Arguments& in) {
    const Batch<const C> c = in.batch<C>("c");
    return in.is<float>() ? solve_root_work<float, C>(in, c) : solve_root_work<C, C>(in, c);
  }
};

template <class T>
struct BuildMultiplySolved {
  static Work work(Arguments& in) {
    MultiplySolved<T> k;
    k.a = in.batch<T>("a");
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.root = in.batch<T>("root");
    require_packed(in, k.root, k.a.count, k.a.cols, k.a.cols);
    k.x = in.batch<T>("x");
    require_packed(in, k.x, k.a.count, k.a.cols, k.x.cols);
    k.blocks = in.dimension("blocks");
    in.require(k.blocks > 0 && k.blocks <= std::max<std::int64_t>(1, k.a.rows), "more blocks than rows");
    k.out = in.output<T>("out");
    require_shape(in, k.out, k.a.count, k.a.rows, k.x.cols);
    return fsvd::work(k, k.out.size() > 0 ? k.a.count * k.blocks : 0,
                      product(parts_of(k.a.rows, k.blocks), k.a.cols, k.a.cols + 2 * k.x.cols));
  }
};

template <class T>
struct BuildOuter {
  static Work work(Arguments& in) {
    Outer<T> k;
    k.a = in.batch<T>("a");
    k.c = in.output<double>("c");
    require_packed(in, k.c, k.a.count, k.a.rows, k.a.rows);
    const std::int64_t blocks = k.blocks();
    return fsvd::work(k, k.a.count * blocks,
                      product(k.a.rows, k.a.rows, k.a.cols) / static_cast<double>(std::max<std::int64_t>(1, blocks)));
  }
};

Work definite_work(Arguments& in) {
  Definite k;
  k.a = in.output<double>("a");
  require_packed(in, k.a, k.a.count, k.a.rows, k.a.rows);
  k.status = in.statuses(k.a.count);
  return work(k, k.a.count, product(k.a.rows, k.a.rows, k.a.rows) / 3);
}

template <class T>
struct BuildGeev {
  static Work work(Arguments& in) {
    Geev<T> k;
    k.a = in.batch<T>("a");
    in.require(k.a.rows == k.a.cols, "expected square matrices");
    k.real = in.required_array<T>("real", in.extent(k.a.count, k.a.rows), "float");
    k.imag = in.required_array<T>("imag", in.extent(k.a.count, k.a.rows), "float");
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count, 10 * product(k.a.rows, k.a.rows, k.a.rows));
  }
};

template <class T>
struct BuildScan {
  static Work work(Arguments& in) {
    Scan<T> k;
    k.a = in.batch<T>("a");
    k.fraction = in.required_array<double>("fraction", in.extent(k.a.count, k.a.cols));
    k.exponent = in.required_array<std::int32_t>("exponent", in.extent(k.a.count, k.a.cols));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count, 2 * product(k.a.rows, k.a.cols));
  }
};

template <class In, class Out>
Work pack_work(Arguments& in, const Batch<const In>& a) {
  Pack<In, Out> k;
  k.a = a;
  k.out = in.output<Out>("out");
  require_shape(in, k.out, a.count, a.rows, a.cols);
  k.gauge = in.gauge(a.count, a.cols);
  k.alpha = in.number("alpha");
  k.accumulate = in.flag("accumulate");
  return work(k, a.size() > 0 ? a.count * k.blocks() : 0,
              2 * product(a.rows, a.cols) / static_cast<double>(k.blocks()));
}

// How the elements of `a` are stored; mirrors `formats` in lib/native/kernels.ts.
enum class Format { float32, float64, bfloat16, float16 };

template <class In>
Work pack_from(Arguments& in) {
  const Batch<const In> a = in.batch<In>("a", "stored");
  return in.is<float>() ? pack_work<In, float>(in, a) : pack_work<In, double>(in, a);
}

Work any_pack_work(Arguments& in) {
  const std::int64_t format = in.integer("format");
  in.require(format >= 0 && format <= 3, "unknown format");
  switch (static_cast<Format>(format)) {
    case Format::float32: return pack_from<float>(in);
    case Format::bfloat16: return pack_from<Bfloat16>(in);
    case Format::float16: return pack_from<Float16>(in);
    default: return pack_from<double>(in);
  }
}

template <class T>
Work copy_work(Arguments& in) {
  Copy<T> k;
  k.a = in.batch<T>("a", "stored");
  k.out = in.output<T>("out", "stored output");
  require_shape(in, k.out, k.a.count, k.a.rows, k.a.cols);
  return work(k, k.a.size() > 0 ? k.a.count : 0, product(k.a.rows, k.a.cols));
}

Work any_copy_work(Arguments& in) {
  if (in.is<std::uint16_t>()) return copy_work<std::uint16_t>(in);
  return in.is<float>() ? copy_work<float>(in) : copy_work<double>(in);
}

}  // namespace

const std::vector<Kernel>& kernel_table() {
  static const std::vector<Kernel> table{
      {"svdLadder", either<BuildSvdLadder>},
      {"scaledCore", scaled_core_work},
      {"qr", qr_work},
      {"applyQ", apply_q_work},
      {"gram", either<BuildGram>},
      {"cholesky", either<BuildCholesky>},
      {"choleskyAgain", either<BuildCholeskyAgain>},
      {"gramSvd", gram_svd_work},
      {"solveRoot", either<BuildSolveRoot>},
      {"multiplySolved", either<BuildMultiplySolved>},
      {"gemm", either<BuildGemm>},
      {"outer", either<BuildOuter>},
      {"definite", definite_work},
      {"geev", either<BuildGeev>},
      {"scan", either<BuildScan>},
      {"pack", any_pack_work},
      {"copy", any_copy_work},
  };
  return table;
}

}  // namespace fsvd
