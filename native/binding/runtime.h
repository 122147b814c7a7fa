// State of one JavaScript environment (the main thread, or a worker): its jobs in flight and the way back to it.
#pragma once
#include <memory>
#include <mutex>

#include "core/base/workspace.h"
#include "core/threads/pool.h"
#include "napi_setup.h"

namespace fsvd {

// What a job hands over when it ends; made and destroyed on the JavaScript thread, whose values it may hold.
class Delivery {
 public:
  virtual ~Delivery() = default;
  static void* operator new(std::size_t bytes) { return allocate(static_cast<std::int64_t>(bytes)); }
  static void operator delete(void* memory) { give_back(memory); }
  virtual void arrive(Napi::Env env) = 0;

 private:
  friend class Runtime;
  Delivery *before_ = nullptr, *behind_ = nullptr;
};

class Runtime {
 public:
  static std::shared_ptr<Runtime> of(Napi::Env env);
  static void attach(Napi::Env env);

  // Before the JavaScript thread itself computes; throws OutOfMemory.
  static void ready_to_compute(Napi::Env env);

  explicit Runtime(Napi::Env env) : env_(env), owner_(pool::new_owner()) {}

  // In whose name the environment's jobs run.
  const std::shared_ptr<Owner>& owner() const { return owner_; }

  // JavaScript thread: a job is about to be queued. Keeps the event loop alive until its delivery has arrived.
  Delivery* begin(std::unique_ptr<Delivery> delivery);
  // The same: it was not queued after all.
  std::unique_ptr<Delivery> take_back(Delivery* delivery);

  // Any thread: the job touches no memory any more. `set` completes the delivery, which then arrives on the JavaScript
  // thread, unless the environment is closing: then it has perished.
  template <class Set>
  void end(Delivery* delivery, const Set& set) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) return;
    set();
    way_back_.NonBlockingCall(delivery);
  }

 private:
  static void close(void* self);
  static void arrive(Napi::Env env, Napi::Function, Runtime* runtime, Delivery* delivery);
  using WayBack = Napi::TypedThreadSafeFunction<Runtime, Delivery, arrive>;

  Napi::Env env_;
  std::shared_ptr<Owner> owner_;
  WayBack way_back_;
  Delivery* undelivered_ = nullptr;  // JavaScript thread only
  std::mutex mutex_;
  bool closing_ = false;
};

}  // namespace fsvd
