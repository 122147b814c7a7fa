#include "core/threads/blas_threads.h"
#include "core/threads/pool.h"
#include "core/threads/process_exit.h"
#include "exports.h"
#include "job.h"
#include "napi_setup.h"
#include "runtime.h"
#include "versions.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  fsvd::check_processor(env);
  fsvd::blas::initialise();
  fsvd::guard_process_exit();
  fsvd::Runtime::attach(env);
  fsvd::export_kernels(exports);
  fsvd::export_tasks(exports);
  fsvd::export_threads(exports);
  fsvd::export_versions(exports);
  return exports;
}

NODE_API_MODULE(factored_svd, Init)
