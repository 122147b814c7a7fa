// The threads that compute, one set per process. Whoever has work for them waits behind work of his own only: owners
// take turns, unit by unit, and the units of one owner run in the order they came.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>

#include "core/base/callable.h"
#include "task.h"

namespace fsvd {

// `units` independent calls of `run`. Which thread takes which unit never influences a result.
struct Work {
  std::int64_t units = 0;
  double flops = 0;  // in all, roughly: small work is not worth a second thread
  SharedFunction<void(std::int64_t unit)> run;
};

namespace pool {

int threads();            // 0 until it has been set
void set_threads(int n);  // 1 or more; takes effect for units that start from now on

// Runs everything before it returns; the calling thread works too. Rethrows the first exception of a unit.
void run(const Work& work);

// The same on the calling thread alone, which waits for nobody; for work without BLAS.
void run_alone(const Work& work);

// Starts them; false when the system gives none, and the callers have to compute.
bool has_threads();

std::shared_ptr<Owner> new_owner();

// Queues and returns. `done` is called after the last unit, on the thread that ran it, with the first exception or
// null; at once when there are no units. It must not throw.
void submit(std::shared_ptr<Task> task, Work work, SharedFunction<void(std::exception_ptr)> done);

// Nobody wants the results of `task` any more: what has not begun is dropped at once, what runs stops where it looks up,
// and the jobs of the task end, with an exception.
void stop(Task& task);

// The same for all tasks of an owner that ends. When it returns no thread works in memory of the owner, nor will.
void close(Owner& owner);

// For the end of the process: no unit begins any more, and a thread that would begin one never returns. True when none
// is in progress.
bool stop_all();

// A large computation in parts, which threads join that have nothing else to do, and leave at any time.
class Joint {
 public:
  virtual ~Joint() = default;
  virtual bool has_parts() const = 0;
  // Takes parts while there are any, or will soon be, and nobody waits for a thread.
  virtual void help() = 0;

 private:
  friend struct Joints;
  std::shared_ptr<Joint> behind_;
  std::atomic<int> helpers_{0};
  int most_ = 0;
};

// At most `helpers` threads join, from now on until it ends. Some may still be inside `help` then.
void open(const std::shared_ptr<Joint>& joint, int helpers);
void end(Joint& joint);
// There are new parts, for which threads that sleep may be woken.
void wake(const Joint& joint);
// Whether a thread that helps is needed elsewhere.
bool needed();

}  // namespace pool
}  // namespace fsvd
