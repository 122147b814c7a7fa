#include "job.h"

#include <memory>

#include "core/memory.h"
#include "runtime.h"

namespace fsvd {
namespace {

Napi::Error to_javascript(Napi::Env env, std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const OutOfMemory& e) {
    Napi::Error out = Napi::RangeError::New(env, "the computation needs " + std::to_string(e.bytes) + " bytes more than there are");
    out.Set("code", "ERR_SVD_TOO_LARGE");
    out.Set("bytes", static_cast<double>(e.bytes));
    return out;
  } catch (const Stopped&) {
    return Napi::Error::New(env, "the computation was given up");
  } catch (const std::exception& e) {
    return Napi::Error::New(env, e.what());
  }
}

class Promised final : public Delivery {
 public:
  explicit Promised(const Napi::CallbackInfo& info) : promise_(Napi::Promise::Deferred::New(info.Env())) {
    Napi::Array kept = Napi::Array::New(info.Env(), info.Length());
    for (std::uint32_t i = 0; i < info.Length(); ++i) kept.Set(i, info[i]);
    arguments_ = Napi::Persistent(kept.As<Napi::Object>());
  }

  Napi::Promise promise() const { return promise_.Promise(); }

  void arrive(Napi::Env env) override {
    if (error) promise_.Reject(to_javascript(env, error).Value());
    else promise_.Resolve(env.Undefined());
  }

  std::exception_ptr error;

 private:
  Napi::Promise::Deferred promise_;
  Napi::ObjectReference arguments_;
};

using Holder = std::shared_ptr<Task>;

std::shared_ptr<Task> task_of(const Napi::Value& value) {
  if (!value.IsExternal()) throw Napi::TypeError::New(value.Env(), "expected a task");
  return *value.As<Napi::External<Holder>>().Data();
}

}  // namespace

void throw_to_javascript(Napi::Env env, std::exception_ptr error) { throw to_javascript(env, error); }

void run_now(const Napi::CallbackInfo& info, BuildWork build, void (*run)(const Work&)) {
  Arguments arguments(info);
  run(build(arguments));
}

Napi::Value run_later(const Napi::CallbackInfo& info, BuildWork build) {
  Arguments arguments(info, 1);
  std::shared_ptr<Task> task = task_of(info[0]);
  Work work = build(arguments);
  const std::shared_ptr<Runtime> runtime = Runtime::of(info.Env());
  auto made = std::unique_ptr<Promised>(new Promised(info));
  const Napi::Promise promise = made->promise();
  Promised* const delivery = made.get();
  SharedFunction<void(std::exception_ptr)> done = [runtime, delivery](std::exception_ptr error) {
    runtime->end(delivery, [&] { delivery->error = std::move(error); });
  };
  runtime->begin(std::move(made));
  try {
    pool::submit(std::move(task), std::move(work), std::move(done));
  } catch (...) {
    runtime->take_back(delivery);
    throw;
  }
  return promise;
}

void export_tasks(Napi::Object exports) {
  export_function(exports, "task", [](const Napi::CallbackInfo& info) -> Napi::Value {
    auto task = std::make_unique<Holder>(share<Task>(Runtime::of(info.Env())->owner()));
    return Napi::External<Holder>::New(info.Env(), task.release(), [](Napi::Env, Holder* held) { delete held; });
  });
  export_function(exports, "stop", [](const Napi::CallbackInfo& info) -> Napi::Value {
    pool::stop(*task_of(info[0]));
    return info.Env().Undefined();
  });
  export_function(exports, "done", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), task_of(info[0])->done());
  });
}

}  // namespace fsvd
