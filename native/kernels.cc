#include "kernels.h"

#include "core/faults.h"
#include "core/geev.h"
#include "core/gemm.h"
#include "core/gesdd.h"
#include "core/qr.h"
#include "core/scan.h"
#include "job.h"

namespace fsvd {
namespace {

template <class Kernel>
Work work(Kernel kernel, std::int64_t units, double flops_each) {
  return {units, flops_each * static_cast<double>(units), [kernel](std::int64_t unit) { kernel(unit); }};
}

std::int64_t extent(std::int64_t count, std::int64_t a, std::int64_t b = 1) { return count * a * b; }

double product(std::int64_t a, std::int64_t b, std::int64_t c = 1) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// One builder for both types: Build<T>::work, chosen by the typed array that comes first.
template <template <class> class Build>
Work either(Arguments& in) {
  return in.next_is_float() ? Build<float>::work(in) : Build<double>::work(in);
}

// a, vectors, u, s, vh, status
template <class T>
struct BuildGesdd {
  static Work work(Arguments& in) {
    Gesdd<T> k;
    k.a = in.batch<T>();
    k.vectors = static_cast<Vectors>(in.integer());
    const std::int64_t n = k.a.count, rows = k.a.rows, cols = k.a.cols, p = std::min(rows, cols);
    const bool full = k.vectors == Vectors::full, none = k.vectors == Vectors::none;
    k.u = in.array<T>(none ? 0 : extent(n, rows, full ? rows : p));
    k.s = in.required_array<T>(extent(n, p));
    k.vh = in.array<T>(none ? 0 : extent(n, full ? cols : p, cols));
    k.status = in.statuses(n);
    return fsvd::work(k, n, k.flops());
  }
};

// a, perm, exponents, q, tau, r, status
template <class T>
struct BuildQr {
  static Work work(Arguments& in) {
    Qr<T> k;
    k.a = in.batch<T>();
    k.gauge = in.gauge(k.a.count, k.a.cols);
    k.q = in.required_array<T>(extent(k.a.count, k.a.rows, k.a.cols));
    k.tau = in.required_array<T>(extent(k.a.count, k.a.cols));
    k.r = in.required_array<T>(extent(k.a.count, k.a.cols, k.a.cols));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count, 2 * product(k.a.rows, k.a.cols, k.a.cols));
  }
};

// c, rows, q, tau, transposed, out, status
template <class T>
struct BuildApplyQ {
  static Work work(Arguments& in) {
    ApplyQ<T> k;
    k.c = in.batch<T>();
    k.rows = in.integer();
    k.q = in.required_array<T>(extent(k.c.count, k.rows, k.c.rows));
    k.tau = in.required_array<T>(extent(k.c.count, k.c.rows));
    k.transposed = in.boolean();
    k.out = in.required_array<T>(extent(k.c.count, k.rows, k.c.cols));
    k.status = in.statuses(k.c.count);
    return fsvd::work(k, k.c.count, 4 * product(k.rows, k.c.rows, k.c.cols));
  }
};

// a, b, alpha, beta, c, status
template <class T>
struct BuildGemm {
  static Work work(Arguments& in) {
    Gemm<T> k;
    k.a = in.batch<T>();
    k.b = in.batch<T>();
    k.alpha = static_cast<T>(in.number());
    k.beta = static_cast<T>(in.number());
    k.c = in.required_array<T>(extent(k.a.count, k.a.rows, k.b.cols));
    k.status = in.statuses(k.a.count);
    return fsvd::work(k, k.a.count * k.blocks(), 2 * product(k.a.rows, k.a.cols, k.b.cols) / k.blocks());
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

// a, perm, exponents, alpha, accumulate, stride of the items of out, out; out is float64 when `widen` says so
template <class In, class Out>
Work pack_work(Arguments& in, const Batch<const In>& a) {
  Pack<In, Out> k;
  k.a = a;
  k.gauge = in.gauge(a.count, a.cols);
  k.alpha = in.number();
  k.accumulate = in.boolean();
  k.stride = in.integer();
  k.out = in.array_at_least<Out>(a.count > 0 ? (a.count - 1) * k.stride + extent(1, a.rows, a.cols) : 0);
  return work(k, a.count, 2 * product(a.rows, a.cols));
}

// a, widen, then as above
template <class T>
struct BuildPack {
  static Work work(Arguments& in) {
    const Batch<const T> a = in.batch<T>();
    const bool widen = in.boolean();
    return widen ? pack_work<T, double>(in, a) : pack_work<T, T>(in, a);
  }
};

}  // namespace

void export_kernels(Napi::Object exports) {
  export_kernel<either<BuildGesdd>>(exports, "gesdd");
  export_kernel<either<BuildQr>>(exports, "qr");
  export_kernel<either<BuildApplyQ>>(exports, "applyQ");
  export_kernel<either<BuildGemm>>(exports, "gemm");
  export_kernel<either<BuildGeev>>(exports, "geev");
  export_kernel<either<BuildScan>>(exports, "scan");
  export_kernel<either<BuildPack>>(exports, "pack");
#ifdef FSVD_FAULTS
  exports.Set("setFaults", Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& info) {
    set_faults(info[0].As<Napi::Number>().Uint32Value());
  }));
#endif
}

}  // namespace fsvd
