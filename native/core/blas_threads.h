// How this OpenBLAS was built decides how it may be called from several threads.
#pragma once
#include <mutex>

namespace fsvd::blas {

// Once per process, before the first BLAS call: one BLAS thread inside each of ours.
void initialise();

// Held while a thread computes: does what this build of OpenBLAS needs there, and is a lock for the serial one.
std::unique_lock<std::mutex> enter();

// False for the serial build, whose calls must not overlap: there is then one compute thread.
bool thread_safe();

}  // namespace fsvd::blas
