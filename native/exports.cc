#include "exports.h"

#include "core/faults.h"
#include "core/gesdd.h"
#include "core/gram.h"
#include "job.h"
#include "node_arguments.h"

namespace fsvd {

void export_kernels(Napi::Object exports) {
  for (const Kernel& kernel : kernel_table()) {
    export_kernel(exports, kernel);
    if (std::string(kernel.name) == "copy") export_alone(exports, kernel);
  }
  export_function(exports, "gramBlocks", [](const Call& info) -> Napi::Value {
    const NodeArguments given(info);
    Arguments in(given);
    const std::int64_t rows = in.integer();
    return Napi::Number::New(info.Env(), static_cast<double>(gram_blocks(rows, in.integer())));
  });
  export_function(exports, "gesddWorkspace", [](const Call& info) -> Napi::Value {
    const NodeArguments given(info);
    Arguments in(given);
    const std::int64_t m = in.integer(), n = in.integer();
    const auto elements = gesdd_workspace(m, n, static_cast<Vectors>(in.integer()));
    return Napi::Number::New(info.Env(), static_cast<double>(elements));
  });
#ifdef FSVD_FAULTS
  export_function(exports, "setFaults", [](const Call& info) -> Napi::Value {
    return set_faults(info[0].As<Napi::Number>().Uint32Value()), info.Env().Undefined();
  });
  export_function(exports, "setSkewed", [](const Call& info) -> Napi::Value {
    return set_skewed(info[0].As<Napi::Number>().Uint32Value()), info.Env().Undefined();
  });
  export_function(exports, "illegalCall",
                  [](const Call& info) -> Napi::Value { return Napi::Number::New(info.Env(), illegal_call()); });
  export_function(exports, "failAllocation", [](const Call& info) -> Napi::Value {
    return fail_allocation(static_cast<long>(info[0].As<Napi::Number>().Int64Value())), info.Env().Undefined();
  });
  export_function(exports, "allocationHasFailed", [](const Call& info) -> Napi::Value {
    return Napi::Boolean::New(info.Env(), allocation_has_failed());
  });
#endif
}

}  // namespace fsvd
