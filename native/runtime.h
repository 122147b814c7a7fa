// State of one JavaScript environment (the main thread, or a worker): its jobs in flight and the way back to it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "napi_setup.h"

namespace fsvd {

class Runtime {
 public:
  static std::shared_ptr<Runtime> of(Napi::Env env);
  static void attach(Napi::Env env);

  explicit Runtime(Napi::Env env) : env_(env) {}

  // JavaScript thread: a job is about to be queued. Keeps the event loop alive until it has been delivered.
  void begin();

  // Compute thread: the job will touch no memory any more; `deliver` runs on the JavaScript thread, unless the
  // environment is closing.
  void end(std::function<void(Napi::Env)> deliver);

  bool closing() const { return closing_.load(std::memory_order_relaxed); }

 private:
  static void close(void* self);

  Napi::Env env_;
  Napi::ThreadSafeFunction way_back_;
  int undelivered_ = 0;  // JavaScript thread only
  std::atomic<bool> closing_{false};
  std::mutex mutex_;
  std::condition_variable idle_;
  int computing_ = 0;
};

}  // namespace fsvd
