#include "exports.h"

#include "core/base/faults.h"
#include "job.h"
#include "node_arguments.h"

namespace fsvd {

void export_kernels(Napi::Object exports) {
  for (const Kernel& kernel : kernel_table()) {
    export_kernel(exports, kernel);
    if (std::string(kernel.name) == "copy") export_alone(exports, kernel);
  }
#ifdef FSVD_FAULTS
  // The fields that kernel info[0] reads of the arguments after it, as "name: kind".
  export_function(exports, "fieldsRead", [](const Call& info) -> Napi::Value {
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    std::vector<std::string> log;
    for (const Kernel& kernel : kernel_table()) {
      if (kernel.name != name) continue;
      const NodeArguments given(info, 1);
      Arguments in(given, &log);
      kernel.build(in);
    }
    Napi::Array fields = Napi::Array::New(info.Env(), log.size());
    for (std::size_t i = 0; i < log.size(); ++i) fields.Set(static_cast<std::uint32_t>(i), log[i]);
    return fields;
  });
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
