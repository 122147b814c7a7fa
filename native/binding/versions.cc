#include "versions.h"

#include <cstdint>
#include <cstdlib>

#include "core/base/processor.h"
#include "core/threads/pool.h"
#include "job.h"

extern "C" {
char* openblas_get_config(void);
char* openblas_get_corename(void);
void ilaver_(std::int32_t* major, std::int32_t* minor, std::int32_t* patch);
}

namespace fsvd {

void check_processor(Napi::Env env) {
  if (!std::getenv("OPENBLAS_CORETYPE")) return;  // OpenBLAS has chosen, and has looked
  const std::string core = openblas_get_corename();
  const char* feature = missing_feature(core.c_str());
  if (!feature) return;
  throw Napi::Error::New(env, "OPENBLAS_CORETYPE has OpenBLAS use its kernels for " + core +
                                  ", which this processor cannot run: it has no " + feature);
}

static std::string lapack_version() {
  std::int32_t major, minor, patch;
  ilaver_(&major, &minor, &patch);
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
}

void export_versions(Napi::Object exports) {
  export_function(exports, "versions", [](const Call& info) -> Napi::Value {
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("openblasConfig", std::string(openblas_get_config()));
    out.Set("openblasCore", std::string(openblas_get_corename()));
    out.Set("lapack", lapack_version());
    out.Set("lapackIntBits", 32);
    out.Set("build", FSVD_BUILD);
    out.Set("package", FSVD_VERSION);
    return out;
  });
}

void export_threads(Napi::Object exports) {
  export_function(exports, "threads",
                  [](const Call& info) -> Napi::Value { return Napi::Number::New(info.Env(), pool::threads()); });
  export_function(exports, "setThreads", [](const Call& info) -> Napi::Value {
    pool::set_threads(info[0].As<Napi::Number>().Int32Value());
    return info.Env().Undefined();
  });
}

}  // namespace fsvd
