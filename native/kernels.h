// The kernels as JavaScript sees them: which arguments each takes, in which order. lib/kernels.ts is the other side.
#pragma once
#include "napi_setup.h"

namespace fsvd {

void export_kernels(Napi::Object exports);

}  // namespace fsvd
