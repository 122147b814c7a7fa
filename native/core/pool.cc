#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "blas_threads.h"

namespace fsvd::pool {
namespace {

// A unit in progress. Once the process is stopping none begins any more: its thread goes no further.
std::atomic<int> in_progress{0};
std::atomic<bool> stopping{false};

struct InProgress {
  InProgress() {
    ++in_progress;
    if (!stopping) return;
    --in_progress;
    for (;;) pause();
  }
  ~InProgress() { --in_progress; }
};

struct Job {
  Work work;
  std::function<void(std::exception_ptr)> done;
  std::atomic<std::int64_t> next{0}, left{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  explicit Job(Work w, std::function<void(std::exception_ptr)> d = {})
      : work(std::move(w)), done(std::move(d)), left(work.units) {}

  bool exhausted() const { return next.load(std::memory_order_relaxed) >= work.units; }

  // Takes one unit; true when it was the last one to finish.
  bool step() {
    const std::int64_t unit = next.fetch_add(1);
    if (unit >= work.units) return false;
    try {
      const InProgress mark;
      const auto turn = blas::enter();
      work.run(unit);
    } catch (...) {
      std::lock_guard<std::mutex> lock(error_mutex);
      if (!error) error = std::current_exception();
    }
    return left.fetch_sub(1) == 1;
  }
};

// Never destroyed: compute threads may still run while the process exits.
struct State {
  std::mutex mutex;
  std::condition_variable work_came, job_ended;
  std::deque<std::shared_ptr<Job>> queue;
  int limit = 0, started = 0, running = 0;
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

void* compute(void*) {
  yield_to_event_loops();
  State& s = state();
  std::unique_lock<std::mutex> lock(s.mutex);
  for (;;) {
    s.work_came.wait(lock, [&] { return !s.queue.empty() && s.running < s.limit; });
    const std::shared_ptr<Job> job = s.queue.front();
    if (job->exhausted()) {
      if (s.queue.front() == job) s.queue.pop_front();
      continue;
    }
    ++s.running;
    lock.unlock();
    const bool last = job->step();
    if (last && job->done) job->done(job->error);
    lock.lock();
    --s.running;
    if (last) s.job_ended.notify_all();
    if (!s.queue.empty()) s.work_came.notify_one();
  }
  return nullptr;
}

// LAPACK and OpenBLAS keep buffers on the stack, and the default of musl is 128 KB.
constexpr std::size_t stack_bytes = 16u << 20;

void start_threads(State& s) {  // with s.mutex held
  while (s.started < s.limit) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, compute, nullptr);
    pthread_attr_destroy(&attributes);
    if (error) return;  // fewer threads than asked for is slower, not wrong
    ++s.started;
  }
}

// Below this a second thread costs more than it brings (waking one takes some 10 microseconds).
constexpr double worth_waking_flops = 4e5;

}  // namespace

int threads() {
  std::lock_guard<std::mutex> lock(state().mutex);
  return state().limit;
}

void set_threads(int n) {
  State& s = state();
  std::lock_guard<std::mutex> lock(s.mutex);
  s.limit = blas::thread_safe() ? n : 1;
  s.work_came.notify_all();
}

void submit(Work work, std::function<void(std::exception_ptr)> done) {
  if (work.units == 0) return done(nullptr);
  State& s = state();
  const auto job = std::make_shared<Job>(std::move(work), std::move(done));
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    start_threads(s);
    if (s.started > 0) {
      s.queue.push_back(job);
      s.work_came.notify_all();
      return;
    }
  }
  while (!job->step()) {  // the system gives no thread: late for the caller, but done
  }
  job->done(job->error);
}

void run(const Work& work) {
  const auto job = std::make_shared<Job>(work);
  State& s = state();
  bool shared = false;
  if (work.units > 1 && work.flops > worth_waking_flops) {
    std::lock_guard<std::mutex> lock(s.mutex);
    shared = s.limit > 1;
    if (shared) {
      start_threads(s);
      s.queue.push_front(job);
      ++s.running;  // this thread is one of the limit
      for (int i = 1; i < s.limit; ++i) s.work_came.notify_one();
    }
  }
  while (!job->exhausted()) job->step();
  if (shared) {
    std::unique_lock<std::mutex> lock(s.mutex);
    s.job_ended.wait(lock, [&] { return job->left.load() == 0; });
    --s.running;
    s.queue.erase(std::remove(s.queue.begin(), s.queue.end(), job), s.queue.end());
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

bool stop() {
  stopping = true;
  return in_progress == 0;
}

}  // namespace fsvd::pool
