#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "blas_threads.h"
#include "core/base/workspace.h"
#include "owner.h"

namespace fsvd::pool {

// Those that are open, in no order that matters.
struct Joints {
  std::shared_ptr<Joint> first;

  void add(const std::shared_ptr<Joint>& joint, int helpers) {
    joint->most_ = helpers, joint->behind_ = std::move(first);
    first = joint;
  }
  void remove(Joint& joint) {
    for (std::shared_ptr<Joint>* at = &first; *at; at = &(*at)->behind_)
      if (at->get() == &joint) {
        const std::shared_ptr<Joint> removed = std::move(*at);
        *at = std::move(removed->behind_);
        return;
      }
  }
  std::shared_ptr<Joint> to_help() const {
    for (std::shared_ptr<Joint> joint = first; joint; joint = joint->behind_)
      if (wants(*joint) && joint->has_parts()) return joint;
    return nullptr;
  }
  static bool wants(const Joint& joint) { return joint.helpers_.load(std::memory_order_relaxed) < joint.most_; }
  static void count(Joint& joint, int change) { joint.helpers_ += change; }
};

namespace {

// A unit in progress. Once the process is stopping none begins any more: its thread goes no further.
std::atomic<int> in_progress{0};
std::atomic<bool> stopping{false};

struct InProgress {
  InProgress() {
    ++in_progress;
    if (!stopping) return;
    --in_progress;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  ~InProgress() { --in_progress; }
};

// What a thread has to do.
struct Unit {
  std::shared_ptr<Job> job;
  std::int64_t unit = 0;
};

// Never destroyed: compute threads may still run while the process exits.
struct State {
  std::mutex mutex;
  std::condition_variable work_came, unit_ended;
  Queue urgent;  // of callers who wait
  std::shared_ptr<Owner> first_owner;
  Owner* last_owner = nullptr;
  Joints joints;
  int limit = 0, started = 0;
  int running = 0, computing = 0;  // threads at work, and how many of them are ours
  int asleep = 0;
  std::atomic<bool> queued{false}, idle{false};  // units wait for threads; threads could help

  // Callers who wait work themselves and may be as many as the limit: one thread is left to the others.
  bool may_work() const { return running < limit || computing == 0; }
  bool has_units() const { return !urgent.empty() || first_owner; }
  // After every change, for those who look without the lock.
  void publish() { queued = has_units(), idle = asleep > 0 && may_work(); }

  void add_owner(std::shared_ptr<Owner> owner) {
    if (owner->in_turn) return;
    owner->in_turn = true;
    Owner* const last = owner.get();
    (first_owner ? last_owner->behind : first_owner) = std::move(owner);
    last_owner = last;
  }
  std::shared_ptr<Owner> next_owner() {
    std::shared_ptr<Owner> owner = std::move(first_owner);
    first_owner = std::move(owner->behind);
    owner->in_turn = false;
    return owner;
  }

  // The unit whose turn it is.
  bool take(Unit& out) {
    for (; !urgent.empty(); urgent.pop())
      if (urgent.front().claim(out.unit)) {
        out.job = urgent.first();
        return true;
      }
    while (first_owner) {
      const std::shared_ptr<Owner> owner = next_owner();
      while (!owner->queue.empty()) {
        const std::shared_ptr<Job> job = owner->queue.first();
        const bool claimed = job->claim(out.unit);
        if (job->exhausted()) owner->queue.pop();
        if (!claimed) continue;
        if (!owner->queue.empty()) add_owner(owner);
        ++owner->inside;
        out.job = job;
        return true;
      }
    }
    return false;
  }
};

State& state() {
  static State* const s = new State;
  return *s;
}

// A compute thread that wakes must not take the core from the thread that woke it: that one has an event loop to turn.
void yield_to_event_loops() {
#ifdef SCHED_BATCH
  const sched_param none{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);  // where it is refused, loops turn a little later
#endif
}

// With s.mutex held, and given back in between.
void run_unit(State& s, std::unique_lock<std::mutex>& lock, Unit& unit) {
  lock.unlock();
  Job& job = *unit.job;
  const bool last = job.step(unit.unit);
  if (last && job.done) job.done(job.error);
  const std::shared_ptr<Owner> owner = job.task ? job.task->owner() : nullptr;
  unit.job.reset();  // what it holds is given back without the lock
  lock.lock();
  if (owner) --owner->inside;
  if (owner || last) s.unit_ended.notify_all();
}

void help(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Joint>& joint) {
  Joints::count(*joint, 1);
  lock.unlock();
  joint->help();
  lock.lock();
  Joints::count(*joint, -1);
}

void* compute(void*) {
  yield_to_event_loops();
  const Workspace::Keeper keeper;
  State& s = state();
  std::unique_lock<std::mutex> lock(s.mutex);
  for (;;) {
    std::shared_ptr<Joint> joint;
    ++s.asleep, s.publish();
    s.work_came.wait(lock, [&] { return s.may_work() && (s.has_units() || (joint = s.joints.to_help())); });
    --s.asleep;
    Unit unit;
    const bool taken = s.take(unit);
    if (!taken && !joint) continue;
    ++s.running, ++s.computing, s.publish();
    if (taken) run_unit(s, lock, unit);
    else help(lock, joint);
    --s.running, --s.computing;
    if (s.has_units()) s.work_came.notify_one();
  }
  return nullptr;
}

// LAPACK and OpenBLAS keep buffers on the stack, and the default of musl is 128 KB.
constexpr std::size_t stack_bytes = 16u << 20;

void start_threads(State& s) {  // with s.mutex held
  if (s.started >= s.limit) return;
  int more = blas::reserve(s.limit - s.started);
  for (; more > 0; --more) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, compute, nullptr);
    pthread_attr_destroy(&attributes);
    if (error) break;  // fewer threads than asked for is slower, not wrong
    ++s.started;
  }
  blas::release(more);
}

// Below this a second thread costs more than it brings (waking one takes some 10 microseconds).
constexpr double worth_waking_flops = 4e5;

// Drops the jobs of an owner that `which` names, as far as they have not begun.
template <class Which>
void drop(Owner& owner, const Which& which) {
  std::shared_ptr<Job> dropped;
  {
    std::lock_guard<std::mutex> lock(state().mutex);
    dropped = owner.queue.take_if(which);
    state().publish();
  }
  while (dropped) {
    const std::shared_ptr<Job> job = std::move(dropped);
    dropped = std::move(job->behind);
    if (job->drop() && job->done) job->done(job->error);
  }
}

}  // namespace

bool Job::step(std::int64_t unit) {
  try {
    const InProgress mark;
    const auto turn = blas::enter();
    Working working(task.get());
    look_up();
    work.run(unit);
    working.finish();
  } catch (...) {
    std::lock_guard<std::mutex> lock(error_mutex);
    if (!error) error = std::current_exception();
  }
  return left.fetch_sub(1) == 1;
}

bool Job::drop() {
  const std::int64_t first = next.exchange(work.units);
  if (first >= work.units) return false;
  {
    std::lock_guard<std::mutex> lock(error_mutex);
    if (!error) error = std::make_exception_ptr(Stopped{});
  }
  return left.fetch_sub(work.units - first) == work.units - first;
}

void Queue::push(std::shared_ptr<Job> job) {
  Job* const last = job.get();
  (first_ ? last_->behind : first_) = std::move(job);
  last_ = last;
}

void Queue::push_front(std::shared_ptr<Job> job) {
  if (!first_) last_ = job.get();
  job->behind = std::move(first_);
  first_ = std::move(job);
}

std::shared_ptr<Job> Queue::pop() {
  std::shared_ptr<Job> job = std::move(first_);
  first_ = std::move(job->behind);
  return job;
}

int threads() {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().limit;
}

void set_threads(int n) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.limit = blas::thread_safe() ? n : 1;
  s.publish();
  s.work_came.notify_all();
}

std::shared_ptr<Owner> new_owner() { return share<Owner>(); }

bool has_threads() {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  start_threads(s);
  return s.started > 0;
}

void submit(std::shared_ptr<Task> task, Work work, SharedFunction<void(std::exception_ptr)> done) {
  if (work.units == 0) return done(nullptr);
  State& s = state();
  const std::shared_ptr<Owner> owner = task->owner();
  task->begin(work.units);
  const auto job = share<Job>(std::move(work), std::move(task), std::move(done));
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    start_threads(s);
    if (s.started > 0) {
      owner->queue.push(job);
      s.add_owner(owner);
      s.publish();
      s.work_came.notify_all();
      return;
    }
  }
  std::int64_t unit = 0;
  bool last = false;
  while (job->claim(unit)) last = job->step(unit);  // the system gives no thread: late for the caller, but done
  if (last) job->done(job->error);
}

void stop(Task& task) {
  task.stop();
  drop(*task.owner(), [&](const Job& job) { return job.task.get() == &task; });
}

void close(Owner& owner) {
  State& s = state();
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    owner.closed_ = true;
  }
  drop(owner, [](const Job&) { return true; });
  std::unique_lock<std::mutex> lock(s.mutex);
  s.unit_ended.wait(lock, [&] { return owner.inside == 0; });
}

void leave(Owner& owner) {
  std::lock_guard<std::mutex> lock(state().mutex);
  --owner.inside;
  state().unit_ended.notify_all();
}

void enter(Owner& owner) {
  std::lock_guard<std::mutex> lock(state().mutex);
  ++owner.inside;
}

void run(const Work& work) {
  State& s = state();
  const auto job = share<Job>(work);
  bool shared = false;
  if (work.units > 1 && work.flops > worth_waking_flops) {
    std::lock_guard<std::mutex> lock(s.mutex);
    shared = s.limit > 1;
    if (shared) {
      start_threads(s);
      s.urgent.push_front(job);
      ++s.running;  // this thread is one of the limit
      s.publish();
      for (int i = 1; i < s.limit; ++i) s.work_came.notify_one();
    }
  }
  for (std::int64_t unit = 0; job->claim(unit);) job->step(unit);
  if (shared) {
    std::unique_lock<std::mutex> lock(s.mutex);
    s.unit_ended.wait(lock, [&] { return job->left.load() == 0; });
    --s.running;
    s.urgent.take_if([&](const Job& other) { return &other == job.get(); });
    s.publish();
    s.work_came.notify_all();  // this thread's place is free, and whoever it kept waiting may take it
  }
  if (job->error) std::rethrow_exception(job->error);
}

void run_alone(const Work& work) {
  for (std::int64_t unit = 0; unit < work.units; ++unit) {
    const InProgress mark;
    work.run(unit);
  }
}

bool stop_all() {
  stopping = true;
  return in_progress == 0;
}

void open(const std::shared_ptr<Joint>& joint, int helpers) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  start_threads(s);
  s.joints.add(joint, helpers);
}

void end(Joint& joint) {
  std::lock_guard<std::mutex> lock(state().mutex);
  state().joints.remove(joint);
}

void wake(const Joint& joint) {
  State& s = state();
  if (!s.idle.load(std::memory_order_relaxed) || !Joints::wants(joint)) return;
  std::lock_guard<std::mutex> lock(s.mutex);
  s.work_came.notify_all();
}

bool needed() { return state().queued.load(std::memory_order_relaxed); }

}  // namespace fsvd::pool
