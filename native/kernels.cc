#include "kernels.h"

#include "core/cholesky.h"
#include "core/faults.h"
#include "core/geev.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/gram.h"
#include "core/gram_svd.h"
#include "core/qr.h"
#include "core/scan.h"
#include "job.h"

namespace fsvd {
namespace {

template <class Kernel>
Work work(Kernel kernel, std::int64_t units, double flops_each) {
  return {units, flops_each * static_cast<double>(units), kernel};
}

std::int64_t extent(std::int64_t count, std::int64_t a, std::int64_t b = 1) { return count * a * b; }

double product(std::int64_t a, std::int64_t b, std::int64_t c = 1) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// One builder for both types: Build<T>::work, chosen by the typed array that comes after `ahead` others.
template <template <class> class Build, int ahead = 0>
Work either(Arguments& in) {
  return in.is_float(ahead) ? Build<float>::work(in) : Build<double>::work(in);
}

// a, vectors, graded, u, s, vh, status
template <class T>
struct BuildGesdd {
  static Work work(Arguments& in) {
    Gesdd<T> k;
    k.a = in.batch<T>();
    k.vectors = static_cast<Vectors>(in.integer());
    k.graded = in.boolean();
    const std::int64_t n = k.a.count, rows = k.a.rows, cols = k.a.cols, p = std::min(rows, cols);
    const bool full = k.vectors == Vectors::full, none = k.vectors == Vectors::none;
    k.u = in.array<T>(none ? 0 : extent(n, rows, full ? rows : p));
    k.s = in.required_array<T>(extent(n, p));
    k.vh = in.array<T>(none ? 0 : extent(n, full ? cols : p, cols));
    k.status = in.statuses(n);
    return fsvd::work(k, n, k.flops());
  }
};

// a, q, tau, r, status
Work qr_work(Arguments& in) {
  Qr k;
  k.a = in.batch<double>();
  k.q = in.required_array<double>(extent(k.a.count, k.a.rows, k.a.cols));
  const std::int64_t reflectors = std::min(k.a.rows, k.a.cols);
  k.tau = in.required_array<double>(extent(k.a.count, reflectors));
  k.r = in.required_array<double>(extent(k.a.count, reflectors, k.a.cols));
  k.status = in.statuses(k.a.count);
  return work(k, k.a.count, 2 * product(k.a.rows, k.a.cols, k.a.cols));
}

// c, rows, columns of q, q, tau, out, status
Work apply_q_work(Arguments& in) {
  ApplyQ k;
  k.c = in.batch<double>();
  k.rows = in.integer();
  k.q_cols = in.integer();
  k.q = in.required_array<double>(extent(k.c.count, k.rows, k.q_cols));
  k.tau = in.required_array<double>(extent(k.c.count, k.c.rows));
  k.out = in.required_array<double>(extent(k.c.count, k.rows, k.c.cols));
  k.status = in.statuses(k.c.count);
  return work(k, k.c.count, 4 * product(k.rows, k.c.rows, k.c.cols));
}

// a, b, alpha, beta, positions, c, status
template <class T>
struct BuildGemm {
  static Work work(Arguments& in) {
    Gemm<T> k;
    k.a = in.batch<T>();
    k.b = in.batch<T>();
    k.alpha = static_cast<T>(in.number());
    k.beta = static_cast<T>(in.number());
    k.positions = in.positions(k.a.count);
    k.c = in.items_at<T>(k.positions, k.a.count, extent(1, k.a.rows, k.b.cols));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count * k.blocks(), 2 * product(k.a.rows, k.a.cols, k.b.cols) / k.blocks());
  }
};

// a, perm, exponents, root, parts, squares
template <class T>
struct BuildGram {
  static Work work(Arguments& in) {
    Gram<T> k;
    k.a = in.batch<T>();
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.root = in.array<T>(extent(k.a.count, k.a.cols, k.a.cols));
    const std::int64_t units = k.a.count * gram_blocks(k.a.rows, k.a.cols);
    k.parts = in.required_array<double>(extent(units, k.a.cols, k.a.cols));
    k.squares = in.required_array<double>(extent(units, k.a.cols));
    return fsvd::work(k, units, product(gram_block_rows(k.a.rows, k.a.cols), k.a.cols, k.a.cols));
  }
};

// count, rows, k, root, parts, source, perm, exponents, unit, root_d, r, status
template <class T, template <class> class Kernel>
Work cholesky_work(Arguments& in) {
  Kernel<T> k;
  k.count = in.integer();
  const std::int64_t rows = in.integer();
  k.k = in.integer();
  k.blocks = gram_blocks(rows, k.k);
  const std::int64_t squares = extent(k.count, k.k, k.k);
  k.root = in.required_array<T>(squares);
  k.parts = in.sourced_array(k.source, k.count, k.blocks * k.k * k.k);
  k.gauge = in.gauge(k.count, k.k);
  k.unit = in.required_array<std::int32_t>(extent(k.count, k.k));
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
  k.count = in.integer(), k.k = in.integer(), k.p = std::min(in.integer(), k.k);
  for (GramSvd::Factor* f : {&k.left, &k.right}) {
    f->blocks = gram_blocks(in.integer(), k.k);
    f->parts = in.sourced_array(f->source, k.count, f->blocks * k.k * k.k);
    f->gauge = in.gauge(k.count, k.k);
    f->x = in.array<float>(extent(k.count, k.k, k.p));
  }
  k.s = in.required_array<double>(extent(k.count, k.k));
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
  k.root_d = in.required_array<double>(extent(c.count, c.rows, c.rows));
  k.x = in.required_array<T>(extent(c.count, c.rows, c.cols));
  return work(k, c.count * k.blocks(), product(c.rows, c.rows, c.cols) / static_cast<double>(k.blocks()));
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
    k.root = in.required_array<T>(extent(k.a.count, k.a.cols, k.a.cols));
    k.p = in.integer();
    k.x = in.required_array<T>(extent(k.a.count, k.a.cols, k.p));
    k.transposed = in.boolean();
    k.positions = in.positions(k.a.count);
    k.out = in.items_at<T>(k.positions, k.a.count, extent(1, k.a.rows, k.p));
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
    k.real = in.required_array<T>(extent(k.a.count, k.a.rows));
    k.imag = in.required_array<T>(extent(k.a.count, k.a.rows));
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
    k.fraction = in.required_array<double>(extent(k.a.count, k.a.cols));
    k.exponent = in.required_array<std::int32_t>(extent(k.a.count, k.a.cols));
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
  k.stride = in.integer();
  k.positions = in.positions(a.count);
  k.out = in.strided_items<Out>(k.positions, a.count, k.stride, extent(1, a.rows, a.cols));
  return work(k, a.count * k.blocks(), 2 * product(a.rows, a.cols) / static_cast<double>(k.blocks()));
}

// a, whether out is float32, then as above
template <class T>
struct BuildPack {
  static Work work(Arguments& in) {
    const Batch<const T> a = in.batch<T>();
    return in.boolean() ? pack_work<T, float>(in, a) : pack_work<T, double>(in, a);
  }
};

}  // namespace

void export_kernels(Napi::Object exports) {
  export_kernel<either<BuildGesdd>>(exports, "gesdd");
  export_kernel<qr_work>(exports, "qr");
  export_kernel<apply_q_work>(exports, "applyQ");
  export_kernel<either<BuildGram>>(exports, "gram");
  export_kernel<either<BuildCholesky, 3>>(exports, "cholesky");
  export_kernel<either<BuildCholeskyAgain, 3>>(exports, "choleskyAgain");
  export_kernel<gram_svd_work>(exports, "gramSvd");
  export_kernel<either<BuildSolveRoot>>(exports, "solveRoot");
  export_kernel<either<BuildMultiplySolved>>(exports, "multiplySolved");
  export_kernel<either<BuildGemm>>(exports, "gemm");
  export_kernel<either<BuildGeev>>(exports, "geev");
  export_kernel<either<BuildScan>>(exports, "scan");
  export_kernel<either<BuildPack>>(exports, "pack");
  export_function(exports, "packAlone", [](const Call& info) {
    return run_now(info, either<BuildPack>, pool::run_alone);
  });
  export_function(exports, "gramBlocks", [](const Call& info) -> Napi::Value {
    Arguments in(info);
    const std::int64_t rows = in.integer();
    return Napi::Number::New(info.Env(), static_cast<double>(gram_blocks(rows, in.integer())));
  });
  export_function(exports, "gesddWorkspace", [](const Call& info) -> Napi::Value {
    Arguments in(info);
    const std::int64_t m = in.integer(), n = in.integer();
    const auto elements = gesdd_workspace(m, n, static_cast<Vectors>(in.integer()));
    return Napi::Number::New(info.Env(), static_cast<double>(elements));
  });
#ifdef FSVD_FAULTS
  export_function(exports, "setFaults", [](const Call& info) -> Napi::Value {
    return set_faults(info[0].As<Napi::Number>().Uint32Value()), info.Env().Undefined();
  });
  export_function(exports, "illegalCall", [](const Call& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), illegal_call());
  });
  export_function(exports, "failAllocation", [](const Call& info) -> Napi::Value {
    return fail_allocation(static_cast<long>(info[0].As<Napi::Number>().Int64Value())), info.Env().Undefined();
  });
  export_function(exports, "allocationHasFailed", [](const Call& info) -> Napi::Value {
    return Napi::Boolean::New(info.Env(), allocation_has_failed());
  });
#endif
}

}  // namespace fsvd
