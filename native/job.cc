#include "job.h"

#include <atomic>
#include <memory>

#include "core/workspace.h"
#include "runtime.h"

namespace fsvd {
namespace {

Napi::Error to_javascript(Napi::Env env, std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const OutOfMemory& e) {
    Napi::Error out = Napi::RangeError::New(env, e.what());
    out.Set("code", "ERR_SVD_TOO_LARGE");
    out.Set("bytes", static_cast<double>(e.bytes));
    return out;
  } catch (const std::exception& e) {
    return Napi::Error::New(env, e.what());
  }
}

// What belongs to JavaScript and must be touched on its thread only.
struct Pending {
  Napi::Promise::Deferred promise;
  Napi::ObjectReference arguments;
  std::exception_ptr error;
};

}  // namespace

void run_now(const Napi::CallbackInfo& info, BuildWork build, void (*run)(const Work&)) {
  Arguments arguments(info);
  const Work work = build(arguments);
  try {
    run(work);
  } catch (...) {
    throw to_javascript(info.Env(), std::current_exception());
  }
}

Napi::Value run_later(const Napi::CallbackInfo& info, BuildWork build) {
  Napi::Env env = info.Env();
  Arguments arguments(info);
  auto* control = reinterpret_cast<std::atomic<std::int32_t>*>(arguments.required_array<std::int32_t>(2));
  Work work = build(arguments);

  Napi::Array kept = Napi::Array::New(env, info.Length());
  for (std::uint32_t i = 0; i < info.Length(); ++i) kept.Set(i, info[i]);
  auto* pending = new Pending{Napi::Promise::Deferred::New(env), Napi::Persistent(kept.As<Napi::Object>()), nullptr};
  const Napi::Promise promise = pending->promise.Promise();

  const std::shared_ptr<Runtime> runtime = Runtime::of(env);
  work.run = [run = std::move(work.run), control, runtime](std::int64_t unit) {
    if (control[0].load() != 0 || runtime->closing()) return;
    run(unit);
    control[1].fetch_add(1);
  };
  runtime->begin();
  pool::submit(std::move(work), [runtime, pending](std::exception_ptr error) {
    pending->error = error;
    runtime->end([pending](Napi::Env env) {
      const std::unique_ptr<Pending> owned(pending);
      if (owned->error) owned->promise.Reject(to_javascript(env, owned->error).Value());
      else owned->promise.Resolve(env.Undefined());
    });
  });
  return promise;
}

}  // namespace fsvd
