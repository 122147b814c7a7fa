#include "blas_threads.h"

#include <algorithm>

#if defined(_WIN32)
#include <memoryapi.h>
#else
#include <sys/mman.h>
#endif

extern "C" {
void openblas_set_num_threads(int);
int openblas_get_parallel(void);
// Present when OpenBLAS was built with OpenMP, whose thread count belongs to each calling thread.
__attribute__((weak)) void omp_set_num_threads(int);
// Not in every build, either.
__attribute__((weak)) void* blas_memory_alloc(int);
__attribute__((weak)) void blas_memory_free(void*);
}

namespace fsvd::blas {
namespace {
enum { serial = 0, pthreads = 1, openmp = 2 };

// More threads than this are rare, and OpenBLAS was built for some number of them.
constexpr int most_buffers = 64;

std::mutex reserving;
int needed = 0, mapped = 0;

bool room_for(int buffers) {
  const std::size_t bytes = static_cast<std::size_t>(buffers) * static_cast<std::size_t>(buffer_bytes + (4 << 20));
#if defined(_WIN32)
  void* const probe = VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (!probe) return false;
  VirtualFree(probe, 0, MEM_RELEASE);
#else
  void* const probe = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) return false;
  munmap(probe, bytes);
#endif
  return true;
}

// Buffers that are held at the same time are different ones, and OpenBLAS keeps them.
void map_buffers(int buffers) {
  void* held[most_buffers];
  for (int i = 0; i < buffers; ++i) held[i] = blas_memory_alloc(0);
  for (int i = 0; i < buffers; ++i) blas_memory_free(held[i]);
}
}  // namespace

void initialise() { openblas_set_num_threads(1); }

bool thread_safe() { return openblas_get_parallel() != serial; }

int reserve(int threads) {
  const std::lock_guard<std::mutex> lock(reserving);
  if (!blas_memory_alloc || !blas_memory_free) return threads;
  while (threads > 0) {
    const int wanted = std::min(needed + threads, most_buffers);
    if (wanted <= mapped) break;
    if (room_for(wanted - mapped)) {
      map_buffers(wanted);
      mapped = wanted;
      break;
    }
    --threads;
  }
  needed += threads;
  return threads;
}

void release(int threads) {
  const std::lock_guard<std::mutex> lock(reserving);
  if (blas_memory_alloc && blas_memory_free) needed -= threads;
}

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
