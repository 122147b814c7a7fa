// A kernel call as JavaScript makes it: at once, or on the compute threads with a promise.
#pragma once
#include <string>

#include "arguments.h"
#include "core/pool.h"
#include "napi_setup.h"

namespace fsvd {

// Reads the arguments of one kernel and says what there is to run.
using BuildWork = Work (*)(Arguments&);

void run_now(const Napi::CallbackInfo& info, BuildWork build, void (*run)(const Work&) = pool::run);

// One argument more than the sync form comes first: the task that the call is a part of. The arrays are kept alive until
// the promise settles; the caller gives only arrays that nobody else can detach.
Napi::Value run_later(const Napi::CallbackInfo& info, BuildWork build);

// What escapes from `call` as an error of JavaScript.
[[noreturn]] void throw_to_javascript(Napi::Env env, std::exception_ptr error);

// A function of the addon, whose C++ exceptions become errors of JavaScript.
template <class F>
void export_function(Napi::Object exports, const std::string& name, const F& f) {
  exports.Set(name, Napi::Function::New(exports.Env(), [f](const Napi::CallbackInfo& info) -> Napi::Value {
    try {
      return f(info);
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {
      throw_to_javascript(info.Env(), std::current_exception());
    }
  }, name));
}

// exports[name] and exports[name + "Async"].
template <BuildWork build>
void export_kernel(Napi::Object exports, const std::string& name) {
  export_function(exports, name, [](const Napi::CallbackInfo& info) { return run_now(info, build), info.Env().Undefined(); });
  export_function(exports, name + "Async", [](const Napi::CallbackInfo& info) { return run_later(info, build); });
}

// exports.task(), exports.stop(task), exports.done(task)
void export_tasks(Napi::Object exports);

}  // namespace fsvd
