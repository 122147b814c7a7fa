#include "runtime.h"

namespace fsvd {

using Holder = std::shared_ptr<Runtime>;

std::shared_ptr<Runtime> Runtime::of(Napi::Env env) { return *env.GetInstanceData<Holder>(); }

void Runtime::attach(Napi::Env env) { env.SetInstanceData(new Holder(std::make_shared<Runtime>(env))); }

void Runtime::begin() {
  if (!way_back_) {
    way_back_ = Napi::ThreadSafeFunction::New(env_, Napi::Function(), "factored-svd", 0, 1);
    way_back_.Unref(env_);
    napi_add_env_cleanup_hook(env_, close, new Holder(of(env_)));  // runs before the hook of way_back_ itself
  }
  if (undelivered_++ == 0) way_back_.Ref(env_);
  std::lock_guard<std::mutex> lock(mutex_);
  ++computing_;
}

void Runtime::end(std::function<void(Napi::Env)> deliver) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closing()) {
    way_back_.NonBlockingCall([this, deliver = std::move(deliver)](Napi::Env env, Napi::Function) {
      if (closing()) return;
      if (--undelivered_ == 0) way_back_.Unref(env);
      deliver(env);
    });
  }
  if (--computing_ == 0) idle_.notify_all();
}

// The arrays of the jobs in flight are about to be freed: nothing new starts, and what runs is waited for.
void Runtime::close(void* self) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(self));
  Runtime& runtime = **holder;
  std::unique_lock<std::mutex> lock(runtime.mutex_);
  runtime.closing_ = true;
  runtime.idle_.wait(lock, [&] { return runtime.computing_ == 0; });
}

}  // namespace fsvd
