#include "process_exit.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/base/memory.h"
#include "pool.h"

namespace fsvd {
namespace {

#if defined(__GLIBC__)
// LAPACK cannot be interrupted and may take minutes more: leave at once, past the destructors.
void leave(int status, void*) {
  if (pool::stop_all()) return;
  std::fflush(nullptr);
  _exit(status);
}
void watch() {
  if (on_exit(leave, nullptr) != 0) throw OutOfMemory(0);
}
#else
// The status is not known here, so the calls in progress are waited for.
void leave() {
  while (!pool::stop_all()) usleep(1000);
}
void watch() {
  if (std::atexit(leave) != 0) throw OutOfMemory(0);
}
#endif

}  // namespace

void guard_process_exit() {
  static const bool once = (watch(), true);
  (void)once;
}

}  // namespace fsvd
