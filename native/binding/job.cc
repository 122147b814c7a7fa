#include "job.h"

#include <cstdio>
#include <memory>
#include <new>

#include "core/base/memory.h"
#include "node_arguments.h"
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

Napi::Error to_javascript(Napi::Env env, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const OutOfMemory& e) {
    return too_large(env, static_cast<double>(e.bytes));
  } catch (const std::bad_alloc&) {  // of the libraries, which do not say how much it was: very little
    return too_large(env, 0);
  } catch (const Stopped&) {
    return Napi::Error::New(env, "the computation was given up");
  } catch (const WrongArgument& e) {
    return Napi::TypeError::New(env, e.what());
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

// Calls f(call, data) of the function that was exported with `data`.
template <class F>
napi_value guarded(napi_env env, napi_callback_info info, const F& f) {
  try {
    void* data = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
    return f(Call(env, info), data);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  } catch (...) {
    to_javascript(env, std::current_exception()).ThrowAsJavaScriptException();
  }
  return nullptr;
}

void export_callback(Napi::Object exports, const char* name, napi_callback called, void* data) {
  napi_value made = nullptr;
  if (napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, called, data, &made) != napi_ok) {
    throw Napi::Error::New(exports.Env());
  }
  exports.Set(name, made);
}

}  // namespace

void export_function(Napi::Object exports, const char* name, Napi::Value (*function)(const Call&)) {
  const napi_callback called = [](napi_env env, napi_callback_info info) {
    return guarded(env, info, [](const Call& call, void* function) {
      return reinterpret_cast<Napi::Value (*)(const Call&)>(function)(call);
    });
  };
  export_callback(exports, name, called, reinterpret_cast<void*>(function));
}

Napi::Value run_now(const Call& info, BuildWork build, void (*run)(const Work&)) {
  const NodeArguments given(info);
  Arguments arguments(given);
  const Work work = build(arguments);
  if (run == pool::run) Runtime::ready_to_compute(info.Env());
  run(work);
  return info.Env().Undefined();
}

Napi::Value run_later(const Call& info, BuildWork build) {
  const NodeArguments given(info, 1);
  Arguments arguments(given);
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

namespace {

template <Napi::Value (*run)(const Call&, BuildWork)>
void export_with(Napi::Object exports, const std::string& name, BuildWork build) {
  const napi_callback called = [](napi_env env, napi_callback_info info) {
    return guarded(env, info,
                   [](const Call& call, void* build) { return run(call, reinterpret_cast<BuildWork>(build)); });
  };
  export_callback(exports, name.c_str(), called, reinterpret_cast<void*>(build));
}

Napi::Value run_now_with_all(const Call& call, BuildWork build) { return run_now(call, build); }
Napi::Value run_alone(const Call& call, BuildWork build) { return run_now(call, build, pool::run_alone); }

}  // namespace

void export_kernel(Napi::Object exports, const Kernel& kernel) {
  const std::string name = kernel.name;
  export_with<run_now_with_all>(exports, name, kernel.build);
  export_with<run_later>(exports, name + "Async", kernel.build);
}

void export_alone(Napi::Object exports, const Kernel& kernel) {
  export_with<run_alone>(exports, std::string(kernel.name) + "Alone", kernel.build);
}

}  // namespace fsvd
