#include "node_arguments.h"

#include "core/base/memory.h"

namespace fsvd {
namespace {

ElementType element_type(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array: return ElementType::float32;
    case napi_float64_array: return ElementType::float64;
    case napi_int32_array: return ElementType::int32;
    case napi_uint16_array: return ElementType::uint16;
    default: return ElementType::other;
  }
}

}  // namespace

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  if (count_ > most) throw Napi::TypeError::New(env, "too many arguments");
}

NodeArguments::NodeArguments(const Call& call, std::size_t first) : call_(call), first_(first) {
  napi_typedarray_type type{};
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(call.Env(), call[first], &type, &count_, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_float64_array) throw WrongArgument("expected the numbers of the call");
  numbers_ = static_cast<const double*>(data);
}

bool NodeArguments::is_missing(std::size_t i) const {
  napi_valuetype type{};
  napi_typeof(call_.Env(), at(i), &type);
  return type == napi_undefined || type == napi_null;
}

bool NodeArguments::get(std::size_t i, TypedArray& out) const {
  const Napi::Value value = at(i);
  napi_typedarray_type type{};
  std::size_t length = 0;  // what is no typed array is refused
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &out.data, nullptr, nullptr) != napi_ok)
    return false;
  out.type = element_type(type);
  out.length = static_cast<std::int64_t>(length);
  return true;
}

bool NodeArguments::number(std::size_t i, double& out) const {
  if (i >= count_) return false;
  out = numbers_[i];
  return true;
}

// Of the whole buffer: in parts of it, the pages that two of them share would stay small ones.
void NodeArguments::prefer_large_pages(std::size_t i) const {
  const Napi::Value array = at(i);
  napi_value buffer = nullptr;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
      napi_get_arraybuffer_info(array.Env(), buffer, &data, &length) == napi_ok) {
    fsvd::prefer_large_pages(data, length);
  }
}

}  // namespace fsvd
