// The kernels as JavaScript sees them: which arguments each takes, in which order. lib/native/contract.ts is the other side.
#pragma once
#include <vector>

#include "arguments.h"
#include "core/threads/pool.h"

namespace fsvd {

// Reads the arguments of one kernel and says what there is to run.
using BuildWork = Work (*)(Arguments&);

struct Kernel {
  const char* name;
  BuildWork build;
};

const std::vector<Kernel>& kernel_table();

}  // namespace fsvd
