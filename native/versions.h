// What this build is made of and runs on, and the number of compute threads.
#pragma once
#include "napi_setup.h"

namespace fsvd {

void export_versions(Napi::Object exports);  // versions()
void export_threads(Napi::Object exports);   // threads(), setThreads(n)

}  // namespace fsvd
