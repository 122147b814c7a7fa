// The threads that compute, one set per process: units of work in the order they came, each on one thread.
#pragma once
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>

namespace fsvd {

// `units` independent calls of `run`. Which thread takes which unit never influences a result.
struct Work {
  std::int64_t units = 0;
  double flops = 0;  // in all, roughly: small work is not worth a second thread
  std::function<void(std::int64_t unit)> run;
};

namespace pool {

int threads();             // 0 until it has been set
void set_threads(int n);  // 1 or more; takes effect for units that start from now on

// Runs everything before it returns; the calling thread works too. Rethrows the first exception of a unit.
void run(const Work& work);

// The same on the calling thread alone, which waits for nobody; for work without BLAS.
void run_alone(const Work& work);

// Queues and returns. `done` is called after the last unit, on the thread that ran it, with the first exception or
// null; at once when there are no units.
void submit(Work work, std::function<void(std::exception_ptr)> done);

// For the end of the process: no unit begins any more, and a thread that would begin one never returns. True when none
// is in progress.
bool stop();

}  // namespace pool
}  // namespace fsvd
