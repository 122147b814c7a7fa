// The pool alone, without Node: jobs from many threads, exceptions, a system that gives no threads, and XERBLA. Made to
// be run under the thread sanitizer too. Ends with status 0 when everything was as it says; a hang is ended by SIGALRM.
#include "core/threads/pool.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/kernels/svd.h"
#include "core/threads/blas_threads.h"
#include "core/threads/team.h"
#ifdef FSVD_FAULTS
#include "core/base/faults.h"
#endif

using namespace fsvd;
using namespace std::chrono_literals;

static constexpr double worth_sharing = 1e9;  // flops

static void check(bool fine, const char* what) {
  if (fine) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

static void wait_for(const std::atomic<int>& x, int value) {
  while (x.load() != value) std::this_thread::sleep_for(100us);
}

static std::shared_ptr<Task> new_task(const std::shared_ptr<Owner>& owner = pool::new_owner()) {
  return share<Task>(owner);
}

// Synchronous and asynchronous jobs from several threads, while the limit changes: every unit runs once.
static void every_unit_runs_once() {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller)
    callers.emplace_back([caller] {
      for (int round = 0; round < 60; ++round) {
        std::vector<std::atomic<int>> counts(1 + (caller * 7 + round) % 23);
        const Work work{static_cast<std::int64_t>(counts.size()), worth_sharing, [&](std::int64_t i) { ++counts[i]; }};
        if (round % 3 == 0) pool::set_threads(1 + round % 4);
        if (caller % 2) {
          pool::run(work);
        } else {
          std::atomic<int> done{0};
          pool::submit(new_task(), work, [&](std::exception_ptr error) { check(!error, "no unit failed"), ++done; });
          wait_for(done, 1);
        }
        for (const auto& count : counts) check(count == 1, "every unit runs once");
      }
    });
  for (std::thread& caller : callers) caller.join();
}

// Synchronous callers take the places of the compute threads; a job queued meanwhile begins when they are done.
static void queued_job_begins() {
  pool::set_threads(2);
  for (int round = 0; round < 30; ++round) {
    const auto work = [] { pool::run({2, worth_sharing, [](std::int64_t) { std::this_thread::sleep_for(1ms); }}); };
    std::thread one(work), two(work);
    std::this_thread::sleep_for(500us);
    std::atomic<int> done{0};
    pool::submit(new_task(), {1, 0, [](std::int64_t) {}}, [&](std::exception_ptr) { ++done; });
    one.join(), two.join();
    wait_for(done, 1);
  }
}

static void exceptions_arrive() {
  const Work work{9, worth_sharing, [](std::int64_t i) {
                    if (i == 4) throw std::runtime_error("unit 4");
                  }};
  bool thrown = false;
  try {
    pool::run(work);
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  check(thrown, "run() throws what a unit threw");
  std::atomic<int> done{0};
  std::exception_ptr error;
  pool::submit(new_task(), work, [&](std::exception_ptr e) { error = e, ++done; });
  wait_for(done, 1);
  check(error != nullptr, "submit() hands over what a unit threw");
}

// Teams inside of units, of jobs of both kinds, while the limit changes: every part runs once, and exceptions arrive.
static void teams_do_every_part() {
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([caller] {
      for (int round = 0; round < 20; ++round) {
        if (round % 5 == 0) pool::set_threads(1 + (round + caller) % 4);
        const auto unit = [&](std::int64_t) {
          Team team;
          for (int phase = 0; phase < 30; ++phase) {
            std::vector<std::atomic<int>> counts((phase * 5 + caller) % 17);
            team.each(static_cast<std::int64_t>(counts.size()), [&](std::int64_t part) { ++counts[part]; });
            for (const auto& count : counts) check(count == 1, "every part is done once");
          }
          bool thrown = false;
          try {
            team.each(9, [](std::int64_t part) {
              if (part == 4) throw std::runtime_error("part 4");
            });
          } catch (const std::runtime_error&) {
            thrown = true;
          }
          check(thrown, "each() throws what a part threw");
        };
        if (caller % 2) {
          pool::run({1 + round % 3, worth_sharing, unit});
        } else {
          std::atomic<int> done{0};
          pool::submit(new_task(), {1 + round % 3, worth_sharing, unit}, [&](std::exception_ptr) { ++done; });
          wait_for(done, 1);
        }
      }
    });
  for (std::thread& caller : callers) caller.join();
}

// Decompositions on all threads at once, and several threads in each of them: the bits of one thread.
static void same_bits(std::int64_t n, std::int64_t count) {
  std::vector<double> a(n * n * count);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>((i * 2654435761u) % 1000) / 500 - 1;
  const auto singular_values = [&](int threads) {
    std::vector<double> u(a.size()), s(n * count), vh(a.size());
    std::vector<Status> status(count);
    SvdLadder<double> k;
    k.a = packed<const double>(a.data(), count, n, n);
    k.u = packed(u.data(), count, n, n), k.s = packed(s.data(), count, 1, n), k.vh = packed(vh.data(), count, n, n);
    k.status = status.data();
    pool::set_threads(threads);
    pool::run({count, worth_sharing, [&](std::int64_t i) { k(i); }});
    for (const Status& item : status) check(item.code == Status::ok, "every item is decomposed");
    u.insert(u.end(), s.begin(), s.end());
    return u;
  };
  const auto alone = singular_values(1);
  for (const int threads : {2, 5}) check(singular_values(threads) == alone, "the bits do not depend on the threads");
}

// What has not begun of a task that is given up is dropped at once; what runs ends where it looks up.
static void stopping_a_task() {
  pool::set_threads(2);
  for (int round = 0; round < 20; ++round) {
    const auto task = new_task();
    std::atomic<int> begun{0}, ended{0}, finished{0};
    std::exception_ptr error;
    const auto until_stopped = [&](std::int64_t) {
      ++begun;
      for (int i = 0; i < 20'000; ++i) std::this_thread::sleep_for(500us), look_up();
      ++finished;
    };
    pool::submit(task, {100, worth_sharing, until_stopped}, [&](std::exception_ptr e) { error = e, ++ended; });
    if (round % 2) wait_for(begun, 2);
    pool::stop(*task);
    wait_for(ended, 1);
    bool stopped = false;
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Stopped&) {
      stopped = true;
    }
    check(stopped, "a task that is given up ends with Stopped");
    check(begun <= 2 && finished == 0, "nothing of it begins any more, and what runs does not finish");
    std::atomic<int> after{0};
    pool::submit(new_task(task->owner()), {3, 0, [](std::int64_t) {}},
                 [&](std::exception_ptr e) { after = e ? -1 : 1; });
    wait_for(after, 1);  // its owner goes on
  }
}

// A job of one owner does not wait behind those of another, nor for them when its owner ends.
static void owners_take_turns() {
  pool::set_threads(2);
  const auto busy = pool::new_owner(), other = pool::new_owner();
  std::atomic<int> slow{0}, ended{0}, quick{0};
  for (int i = 0; i < 50; ++i) {
    pool::submit(new_task(busy), {4, worth_sharing, [&](std::int64_t) { std::this_thread::sleep_for(2ms), ++slow; }},
                 [&](std::exception_ptr) { ++ended; });
  }
  pool::submit(new_task(other), {1, 0, [](std::int64_t) {}}, [&](std::exception_ptr) { ++quick; });
  wait_for(quick, 1);
  check(slow < 50, "another owner has its turn");
  pool::submit(new_task(other), {1, 0, [](std::int64_t) {}}, [](std::exception_ptr) {});
  pool::close(*other);
  check(slow < 50, "an owner ends without waiting for another");
  pool::close(*busy);
  check(slow < 100, "and without what has not begun");
  wait_for(ended, 50);  // each of its jobs has ended all the same
}

// The memory of an owner may be freed when it has ended, though a thread that is apart still works for it.
static void owner_ends_during_a_long_call() {
  for (int round = 0; round < 10; ++round) {
    const auto owner = pool::new_owner();
    std::atomic<bool> go_on{false};
    std::atomic<int> begun{0}, ended{0};
    auto memory = std::make_unique<int>(0);
    const auto unit = [&, data = memory.get()](std::int64_t) {
      ++*data;
      apart([&] {
        ++begun;
        while (!go_on) std::this_thread::sleep_for(100us);
        return 0;
      });
      ++*data;  // never reached
    };
    pool::submit(new_task(owner), {1, worth_sharing, unit}, [&](std::exception_ptr) { ++ended; });
    wait_for(begun, 1);
    pool::close(*owner);
    memory.reset();
    go_on = true;
    wait_for(ended, 1);
  }
}

// Parts of a matrix look up as well, on whichever thread they are.
static void teams_stop() {
  pool::set_threads(3);
  const auto task = new_task();
  std::atomic<int> begun{0}, ended{0};
  const auto unit = [&](std::int64_t) {
    Team team;
    for (;;) team.each(8, [&](std::int64_t) { ++begun, std::this_thread::sleep_for(100us); });
  };
  pool::submit(task, {1, worth_sharing, unit}, [&](std::exception_ptr) { ++ended; });
  while (begun < 100) std::this_thread::sleep_for(100us);
  pool::stop(*task);
  wait_for(ended, 1);
}

// The share that is done grows with the stages of every unit, and ends at 1.
static void progress_is_told() {
  const auto task = new_task();
  std::atomic<int> ended{0};
  std::vector<double> told;
  const auto unit = [&](std::int64_t) {
    for (int half = 0; half < 2; ++half) {
      const Stage stage(half / 2.0, (half + 1) / 2.0);
      for (int i = 1; i <= 4; ++i) advance(i / 4.0), told.push_back(task->done());
    }
  };
  pool::set_threads(1);
  pool::submit(task, {2, 0, unit}, [&](std::exception_ptr) { ++ended; });
  wait_for(ended, 1);
  check(told.size() == 16 && task->done() == 1, "all of it is done in the end");
  for (std::size_t i = 0; i < told.size(); ++i) {
    check(std::abs(told[i] - static_cast<double>(i + 1) / 16) < 1e-5, "a share for every stage of every unit");
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// In a process of its own, which may not map the stack of one more thread.
static void no_threads_to_be_had() {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_AS, &none);
    pool::set_threads(3);
    static std::atomic<int> units{0}, done{0};
    pool::submit(new_task(), {5, worth_sharing, [](std::int64_t) { ++units; }}, [](std::exception_ptr) { ++done; });
    pool::run({5, worth_sharing, [](std::int64_t) { ++units; }});
    _exit(units == 10 && done == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  check(status == 0, "without threads the caller computes");
}
#endif

int main() {
  alarm(120);
  blas::initialise();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  no_threads_to_be_had();  // first: fork() wants a process without threads
#endif
  every_unit_runs_once();
  queued_job_begins();
  exceptions_arrive();
  teams_do_every_part();
  stopping_a_task();
  owners_take_turns();
  owner_ends_during_a_long_call();
  teams_stop();
  progress_is_told();
  same_bits(40, 24);
  same_bits(170, 3);
#ifdef FSVD_FAULTS
  check(illegal_call() == -2, "LAPACK names the illegal argument, and XERBLA lets it return");
#endif
  std::puts("the pool is as it should be");
}
