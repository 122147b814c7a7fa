// How this OpenBLAS was built decides how it may be called from several threads.
#pragma once
#include <cstdint>
#include <mutex>

namespace fsvd::blas {

// Once per process, before the first BLAS call: one BLAS thread inside each of ours.
void initialise();

// Held while a thread computes: does what this build of OpenBLAS needs there, and is a lock for the serial one.
std::unique_lock<std::mutex> enter();

// OpenBLAS maps a buffer for every thread that is in one of its routines, and where there is no room for it, it tries
// again for ever. So the buffers of all threads are mapped before they compute: of so many more, or of as many as there
// is room for; returns how many.
int reserve(int threads);
// So many threads have ended.
void release(int threads);
constexpr std::int64_t buffer_bytes = 128 << 20;

// False for the serial build, whose calls must not overlap: there is then one compute thread.
bool thread_safe();

}  // namespace fsvd::blas
