#include "job.h"

#include <cstdio>
#include <memory>
#include <new>

#include "core/memory.h"
#include "runtime.h"

namespace fsvd {
namespace {

Napi::Error too_large(Napi::Env env, double bytes) {
  char message[80];
  std::snprintf(message, sizeof message, "the computation needs %.0f bytes of memory that cannot be had", bytes);
  Napi::Error error = Napi::RangeError::New(env, message);
  error.Set("code", "ERR_SVD_TOO_LARGE");
  error.Set("bytes", bytes);
  return error;
}

Napi::Error to_javascript(Napi::Env env, std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const OutOfMemory& e) {
    return too_large(env, static_cast<double>(e.bytes));
  } catch (const std::bad_alloc&) {  // of the libraries, which do not say how much it was: very little
    return too_large(env, 0);
  } catch (const Stopped&) {
    return Napi::Error::New(env, "the computation was given up");
  } catch (const std::exception& e) {
    return Napi::Error::New(env, e.what());
  }
}

class Promised final : public Delivery {
 public:
  explicit Promised(const Call& info) : promise_(Napi::Promise::Deferred::New(info.Env())) {
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

void export_function(Napi::Object exports, const char* name, Napi::Value (*function)(const Call&)) {
  const napi_callback called = [](napi_env env, napi_callback_info info) -> napi_value {
    try {
      void* function = nullptr;
      napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &function);
      return reinterpret_cast<Napi::Value (*)(const Call&)>(function)(Call(env, info));
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
    } catch (...) {
      to_javascript(env, std::current_exception()).ThrowAsJavaScriptException();
    }
    return nullptr;
  };
  const napi_env env = exports.Env();
  napi_value made = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, called, reinterpret_cast<void*>(function), &made) != napi_ok) {
    throw Napi::Error::New(env);
  }
  exports.Set(name, made);
}

Napi::Value run_now(const Call& info, BuildWork build, void (*run)(const Work&)) {
  Arguments arguments(info);
  const Work work = build(arguments);
  if (run == pool::run) Runtime::ready_to_compute(info.Env());
  run(work);
  return info.Env().Undefined();
}

Napi::Value run_later(const Call& info, BuildWork build) {
  Arguments arguments(info, 1);
  std::shared_ptr<Task> task = task_of(info[0]);
  Work work = build(arguments);
  if (!pool::has_threads()) Runtime::ready_to_compute(info.Env());
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
  export_function(exports, "task", [](const Call& info) -> Napi::Value {
    auto task = std::make_unique<Holder>(share<Task>(Runtime::of(info.Env())->owner()));
    return Napi::External<Holder>::New(info.Env(), task.release(), [](Napi::Env, Holder* held) { delete held; });
  });
  export_function(exports, "stop", [](const Call& info) -> Napi::Value {
    pool::stop(*task_of(info[0]));
    return info.Env().Undefined();
  });
  export_function(exports, "done", [](const Call& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), task_of(info[0])->done());
  });
}

}  // namespace fsvd
