// A kernel call as JavaScript makes it: at once, or on the compute threads with a promise.
#pragma once
#include "arguments.h"
#include "core/pool.h"
#include "napi_setup.h"

namespace fsvd {

// Reads the arguments of one kernel and says what there is to run.
using BuildWork = Work (*)(Arguments&);

void run_now(const Napi::CallbackInfo& info, BuildWork build, void (*run)(const Work&) = pool::run);

// One argument more than the sync form comes first: a control block (Int32Array over shared memory; [0] set to 1 by
// JavaScript skips what has not started, [1] counts finished units). The arrays are kept alive until the promise
// settles; the caller gives only arrays that nobody else can detach.
Napi::Value run_later(const Napi::CallbackInfo& info, BuildWork build);

// exports[name] and exports[name + "Async"].
template <BuildWork build>
void export_kernel(Napi::Object exports, const std::string& name) {
  exports.Set(name, Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& i) { run_now(i, build); }, name));
  exports.Set(name + "Async",
              Napi::Function::New(exports.Env(), [](const Napi::CallbackInfo& i) { return run_later(i, build); },
                                  name + "Async"));
}

}  // namespace fsvd
