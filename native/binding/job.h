// A kernel call as JavaScript makes it: at once, or on the compute threads with a promise.
#pragma once
#include <exception>
#include <string>

#include "core/threads/pool.h"
#include "kernels.h"
#include "napi_setup.h"
#include "node_arguments.h"

namespace fsvd {

Napi::Value run_now(const Call& info, BuildWork build, void (*run)(const Work&) = pool::run);

// One argument more than the sync form comes first: the task that the call is a part of. The arrays are kept alive until
// the promise settles; the caller gives only arrays that nobody else can detach.
Napi::Value run_later(const Call& info, BuildWork build);

// A function of the addon, whose C++ exceptions become errors of JavaScript.
void export_function(Napi::Object exports, const char* name, Napi::Value (*function)(const Call&));

// exports[name] and exports[name + "Async"].
void export_kernel(Napi::Object exports, const Kernel& kernel);

// exports[name + "Alone"]: at once, on the calling thread alone.
void export_alone(Napi::Object exports, const Kernel& kernel);

// exports.task(), exports.stop(task), exports.done(task)
void export_tasks(Napi::Object exports);

}  // namespace fsvd
