#include "blas_threads.h"

extern "C" {
void openblas_set_num_threads(int);
int openblas_get_parallel(void);
// Present when OpenBLAS was built with OpenMP, whose thread count belongs to each calling thread.
__attribute__((weak)) void omp_set_num_threads(int);
}

namespace fsvd::blas {
namespace {
enum { serial = 0, pthreads = 1, openmp = 2 };
}

void initialise() { openblas_set_num_threads(1); }

bool thread_safe() { return openblas_get_parallel() != serial; }

std::unique_lock<std::mutex> enter() {
  static std::mutex* const turn = new std::mutex;  // outlives the compute threads
  if (!thread_safe()) return std::unique_lock<std::mutex>(*turn);
  if (openblas_get_parallel() == openmp && omp_set_num_threads) {
    thread_local bool prepared = false;
    if (!prepared) omp_set_num_threads(1);
    prepared = true;
  }
  return {};
}

}  // namespace fsvd::blas
