#include "runtime.h"

#include "core/base/memory.h"
#include "core/threads/blas_threads.h"

namespace fsvd {
namespace {

// Of the environment's thread.
struct Instance {
  explicit Instance(Napi::Env env) : runtime(std::make_shared<Runtime>(env)) {}
  std::shared_ptr<Runtime> runtime;
  Workspace::Keeper keeper;
  bool reserved = false;  // what OpenBLAS needs for the thread

  ~Instance() {
    if (reserved) blas::release(1);
  }
};

using Holder = std::shared_ptr<Runtime>;

}  // namespace

std::shared_ptr<Runtime> Runtime::of(Napi::Env env) { return env.GetInstanceData<Instance>()->runtime; }

void Runtime::attach(Napi::Env env) { env.SetInstanceData(new Instance(env)); }

void Runtime::ready_to_compute(Napi::Env env) {
  Instance& instance = *env.GetInstanceData<Instance>();
  if (!instance.reserved && blas::reserve(1) < 1) throw OutOfMemory(blas::buffer_bytes);
  instance.reserved = true;
}

Delivery* Runtime::begin(std::unique_ptr<Delivery> delivery) {
  if (!way_back_) {
    way_back_ = WayBack::New(env_, "factored-svd", 0, 1, this);
    way_back_.Unref(env_);
    napi_add_env_cleanup_hook(env_, close, new Holder(of(env_)));  // runs before the hook of way_back_ itself
  }
  Delivery* const added = delivery.release();
  if (undelivered_) undelivered_->before_ = added;
  else way_back_.Ref(env_);
  added->behind_ = undelivered_;
  undelivered_ = added;
  return added;
}

std::unique_ptr<Delivery> Runtime::take_back(Delivery* delivery) {
  (delivery->before_ ? delivery->before_->behind_ : undelivered_) = delivery->behind_;
  if (delivery->behind_) delivery->behind_->before_ = delivery->before_;
  if (!undelivered_) way_back_.Unref(env_);
  return std::unique_ptr<Delivery>(delivery);
}

void Runtime::arrive(Napi::Env env, Napi::Function, Runtime* runtime, Delivery* delivery) {
  if (env == nullptr || runtime->closing_) return;
  runtime->take_back(delivery)->arrive(env);
}

// The arrays of the jobs in flight are about to be freed.
void Runtime::close(void* self) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(self));
  Runtime& runtime = **holder;
  {
    std::lock_guard<std::mutex> lock(runtime.mutex_);
    runtime.closing_ = true;
  }
  pool::close(*runtime.owner_);
  while (Delivery* first = runtime.undelivered_) {
    runtime.undelivered_ = first->behind_;
    delete first;
  }
}

}  // namespace fsvd
