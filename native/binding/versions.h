// What this build is made of and runs on, and the number of compute threads.
#pragma once
#include "napi_setup.h"

namespace fsvd {

// Throws when OPENBLAS_CORETYPE names kernels that this processor cannot run: the first of them would end the process.
void check_processor(Napi::Env env);

void export_versions(Napi::Object exports);  // versions()
void export_threads(Napi::Object exports);   // threads(), setThreads(n)

}  // namespace fsvd
