// The kernels as functions of the addon, and what else JavaScript may ask of the core.
#pragma once
#include "napi_setup.h"

namespace fsvd {

void export_kernels(Napi::Object exports);

}  // namespace fsvd
