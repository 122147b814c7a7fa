#include "versions.h"

#include "core/pool.h"

extern "C" {
char* openblas_get_config(void);
char* openblas_get_corename(void);
}

namespace fsvd {

void export_versions(Napi::Object exports) {
  exports.Set("versions", Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& info) -> Napi::Value {
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("openblasConfig", std::string(openblas_get_config()));
    out.Set("openblasCore", std::string(openblas_get_corename()));
    out.Set("lapackIntBits", 32);
    out.Set("build", FSVD_BUILD);
    return out;
  }));
}

void export_threads(Napi::Object exports) {
  exports.Set("threads", Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), pool::threads());
  }));
  exports.Set("setThreads", Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& info) {
    pool::set_threads(info[0].As<Napi::Number>().Int32Value());
  }));
}

}  // namespace fsvd
