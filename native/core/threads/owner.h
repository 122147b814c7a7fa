// What the pool knows of those whose work it does.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

#include "pool.h"
#include "task.h"

namespace fsvd {
namespace pool {

struct Job {
  Work work;
  std::shared_ptr<Task> task;  // null: of a caller who waits
  SharedFunction<void(std::exception_ptr)> done;
  std::atomic<std::int64_t> next{0}, left{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  std::shared_ptr<Job> behind;  // in a queue

  explicit Job(Work w, std::shared_ptr<Task> t = {}, SharedFunction<void(std::exception_ptr)> d = {})
      : work(std::move(w)), task(std::move(t)), done(std::move(d)), left(work.units) {}

  bool exhausted() const { return next.load(std::memory_order_relaxed) >= work.units; }
  // Takes the next unit; false when there is none.
  bool claim(std::int64_t& unit) { return (unit = next.fetch_add(1)) < work.units; }
  // Runs it; true when it was the last one to end.
  bool step(std::int64_t unit);
  // Takes all units that have not begun; true when none is left that will end later.
  bool drop();
};

// First come, first served. Its links are in the jobs, so that queuing never fails.
class Queue {
 public:
  bool empty() const { return !first_; }
  Job& front() const { return *first_; }
  const std::shared_ptr<Job>& first() const { return first_; }
  void push(std::shared_ptr<Job> job);
  void push_front(std::shared_ptr<Job> job);
  std::shared_ptr<Job> pop();
  // Takes out the jobs that `which` names; returns them linked by `behind`.
  template <class Which>
  std::shared_ptr<Job> take_if(const Which& which);

 private:
  std::shared_ptr<Job> first_;
  Job* last_ = nullptr;
};

template <class Which>
std::shared_ptr<Job> Queue::take_if(const Which& which) {
  Queue taken, kept;
  while (!empty()) {
    std::shared_ptr<Job> job = pop();
    Queue& queue = which(*job) ? taken : kept;
    queue.push(std::move(job));
  }
  *this = std::move(kept);
  return std::move(taken.first_);
}

}  // namespace pool

class Owner {
 public:
  bool closed() const { return closed_.load(std::memory_order_relaxed); }

  // Of the pool, under its lock.
  pool::Queue queue;
  int inside = 0;                 // threads that work in memory of the owner
  std::shared_ptr<Owner> behind;  // among those whose turn it will be
  bool in_turn = false;
  std::atomic<bool> closed_{false};
};

namespace pool {

// For a thread that works on a unit of the owner: until it enters again it touches no memory of the owner.
void leave(Owner& owner);
void enter(Owner& owner);

}  // namespace pool
}  // namespace fsvd
