// The end of the process while compute threads are at work.
#pragma once

namespace fsvd {

// Once per process, after OpenBLAS has been loaded. exit(), which process.exit() comes to, runs the destructors of all
// libraries, and OpenBLAS unmaps its buffers there: a LAPACK call still in progress would crash the process.
void guard_process_exit();

}  // namespace fsvd
