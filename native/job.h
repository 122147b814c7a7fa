// A kernel call as JavaScript makes it: at once, or on the compute threads with a promise.
#pragma once
#include <string>

#include "arguments.h"
#include "core/pool.h"
#include "napi_setup.h"

namespace fsvd {

// Reads the arguments of one kernel and says what there is to run.
using BuildWork = Work (*)(Arguments&);

Napi::Value run_now(const Call& info, BuildWork build, void (*run)(const Work&) = pool::run);

// One argument more than the sync form comes first: the task that the call is a part of. The arrays are kept alive until
// the promise settles; the caller gives only arrays that nobody else can detach.
Napi::Value run_later(const Call& info, BuildWork build);

// A function of the addon, whose C++ exceptions become errors of JavaScript.
void export_function(Napi::Object exports, const char* name, Napi::Value (*function)(const Call&));

// exports[name] and exports[name + "Async"].
template <BuildWork build>
void export_kernel(Napi::Object exports, const std::string& name) {
  export_function(exports, name.c_str(), [](const Call& info) { return run_now(info, build); });
  export_function(exports, (name + "Async").c_str(), [](const Call& info) { return run_later(info, build); });
}

// exports.task(), exports.stop(task), exports.done(task)
void export_tasks(Napi::Object exports);

}  // namespace fsvd
