// The pool alone, without Node: jobs from many threads, exceptions, a system that gives no threads, and XERBLA. Made to
// be run under the thread sanitizer too. Ends with status 0 when everything was as it says; a hang is ended by SIGALRM.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/blas_threads.h"
#include "core/gesdd.h"
#include "core/pool.h"
#include "core/team.h"
#ifdef FSVD_FAULTS
#include "core/faults.h"
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
          pool::submit(work, [&](std::exception_ptr error) { check(!error, "no unit failed"), ++done; });
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
    pool::submit({1, 0, [](std::int64_t) {}}, [&](std::exception_ptr) { ++done; });
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
  pool::submit(work, [&](std::exception_ptr e) { error = e, ++done; });
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
          pool::submit({1 + round % 3, worth_sharing, unit}, [&](std::exception_ptr) { ++done; });
          wait_for(done, 1);
        }
      }
    });
  for (std::thread& caller : callers) caller.join();
}

// Decompositions on all threads at once, and several threads in each of them: the bits of one thread.
static void same_bits(std::int64_t n, std::int64_t count) {
  std::vector<double> a(n * n * count), offsets(count);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>((i * 2654435761u) % 1000) / 500 - 1;
  for (std::int64_t i = 0; i < count; ++i) offsets[i] = static_cast<double>(i * n * n);
  const auto singular_values = [&](int threads) {
    std::vector<double> u(a.size()), s(n * count), vh(a.size());
    std::vector<Status> status(count);
    Gesdd<double> k;
    k.a = {a.data(), n, n, n, 1, offsets.data(), count};
    k.u = u.data(), k.s = s.data(), k.vh = vh.data(), k.status = status.data();
    pool::set_threads(threads);
    pool::run({count, worth_sharing, [&](std::int64_t i) { k(i); }});
    for (const Status& item : status) check(item.code == Status::ok, "every item is decomposed");
    u.insert(u.end(), s.begin(), s.end());
    return u;
  };
  const auto alone = singular_values(1);
  for (const int threads : {2, 5}) check(singular_values(threads) == alone, "the bits do not depend on the threads");
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
    pool::submit({5, worth_sharing, [](std::int64_t) { ++units; }}, [](std::exception_ptr) { ++done; });
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
  same_bits(40, 24);
  same_bits(170, 3);
#ifdef FSVD_FAULTS
  check(illegal_call() == -2, "LAPACK names the illegal argument, and XERBLA lets it return");
#endif
  std::puts("the pool is as it should be");
}
