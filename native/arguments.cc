#include "arguments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/large_pages.h"

namespace fsvd {
namespace {

template <class T>
constexpr napi_typedarray_type array_type();
template <>
constexpr napi_typedarray_type array_type<float>() { return napi_float32_array; }
template <>
constexpr napi_typedarray_type array_type<double>() { return napi_float64_array; }
template <>
constexpr napi_typedarray_type array_type<std::int32_t>() { return napi_int32_array; }

constexpr double exact_integers = 9007199254740992.0;  // 2^53

struct Elements {
  napi_typedarray_type type;
  void* data;
  std::int64_t length;
};

bool elements(const Napi::Value& value, Elements& out) {
  bool is_typed_array = false;
  if (napi_is_typedarray(value.Env(), value, &is_typed_array) != napi_ok || !is_typed_array) return false;
  std::size_t length = 0;
  if (napi_get_typedarray_info(value.Env(), value, &out.type, &length, &out.data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  out.length = static_cast<std::int64_t>(length);
  return true;
}

// Of the whole buffer of a large array: in parts of it, the pages that two of them share would stay small ones.
void large_pages_behind(const Napi::Value& array, std::size_t bytes) {
  if (bytes < large_page) return;
  napi_value buffer = nullptr;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
      napi_get_arraybuffer_info(array.Env(), buffer, &data, &length) == napi_ok) {
    prefer_large_pages(data, length);
  }
}

}  // namespace

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  if (count_ > most) throw Napi::TypeError::New(env, "too many arguments");
}

Napi::Value Arguments::next() { return info_[position_++]; }

void Arguments::fail(const std::string& what) const {
  throw Napi::TypeError::New(info_.Env(), "argument " + std::to_string(position_) + ": " + what);
}

bool Arguments::is_float(int ahead) const {
  Elements e{};
  return elements(info_[position_ + ahead], e) && e.type == napi_float32_array;
}

std::int64_t Arguments::integer() {
  const double x = number();
  if (x != std::floor(x) || std::abs(x) > exact_integers) fail("expected an integer");
  return static_cast<std::int64_t>(x);
}

double Arguments::number() {
  const Napi::Value value = next();
  double x = 0;
  if (napi_get_value_double(info_.Env(), value, &x) != napi_ok) fail("expected a number");
  return x;
}

template <class T>
T* Arguments::array(std::int64_t length) {
  const Napi::Value value = next();
  if (value.IsNull() || value.IsUndefined()) return nullptr;
  Elements e{};
  if (!elements(value, e) || e.type != array_type<T>()) fail("wrong kind of typed array");
  if (e.length != length) fail("expected " + std::to_string(length) + " elements, not " + std::to_string(e.length));
  large_pages_behind(value, static_cast<std::size_t>(length) * sizeof(T));
  return static_cast<T*>(e.data);
}

template <class T>
T* Arguments::required_array(std::int64_t length) {
  T* data = array<T>(length);
  if (!data && length > 0) fail("expected a typed array");
  return data;
}

template <class T>
Batch<const T> Arguments::batch() {
  Elements data{}, layout{};
  if (!elements(next(), data) || data.type != array_type<T>()) fail("wrong kind of typed array");
  if (!elements(next(), layout) || layout.type != napi_float64_array || layout.length < 2) fail("expected a layout");
  const double* l = static_cast<const double*>(layout.data);
  Batch<const T> a;
  a.data = static_cast<const T*>(data.data);
  a.row_stride = static_cast<std::int64_t>(l[0]);
  a.col_stride = static_cast<std::int64_t>(l[1]);
  a.offsets = l + 2;
  a.count = layout.length - 2;
  a.rows = integer();
  a.cols = integer();
  if (a.rows < 0 || a.cols < 0) fail("negative dimension");
  if (a.rows == 0 || a.cols == 0) return a;
  // Reach of one item, in doubles so that nothing wraps.
  const double down = static_cast<double>(a.rows - 1) * l[0], across = static_cast<double>(a.cols - 1) * l[1];
  const double lowest = std::min(down, 0.0) + std::min(across, 0.0);
  const double highest = std::max(down, 0.0) + std::max(across, 0.0);
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (!(a.offsets[i] + lowest >= 0 && a.offsets[i] + highest < static_cast<double>(data.length))) {
      fail("item " + std::to_string(i) + " lies outside its array");
    }
  }
  return a;
}

const std::int32_t* Arguments::positions(std::int64_t count) {
  const std::int32_t* at = array<std::int32_t>(count);
  for (std::int64_t i = 0; at && i < count; ++i)
    if (at[i] < 0) fail("negative position");
  return at;
}

const double* Arguments::sourced_array(const std::int32_t*& source, std::int64_t count, std::int64_t size) {
  Elements parts{};
  if (!elements(next(), parts) || parts.type != napi_float64_array) fail("expected a Float64Array");
  source = positions(count);
  const std::int64_t last = source && count > 0 ? *std::max_element(source, source + count) : count - 1;
  if (parts.length < (last + 1) * size) fail("a source lies outside the parts");
  return static_cast<const double*>(parts.data);
}

template <class T>
T* Arguments::strided_items(const std::int32_t* positions, std::int64_t count, std::int64_t stride,
                            std::int64_t size) {
  const std::int64_t last = positions && count > 0 ? *std::max_element(positions, positions + count) : count - 1;
  const std::int64_t needed = count > 0 ? last * stride + size : 0;
  const Napi::Value value = next();
  Elements e{};
  if (!elements(value, e) || e.type != array_type<T>()) fail("wrong kind of typed array");
  if (stride < 0 || e.length < needed) fail("expected " + std::to_string(needed) + " elements or more");
  large_pages_behind(value, static_cast<std::size_t>(e.length) * sizeof(T));
  return static_cast<T*>(e.data);
}

Status* Arguments::statuses(std::int64_t count) {
  static_assert(sizeof(Status) == 3 * sizeof(double), "read in JavaScript as three doubles");
  return reinterpret_cast<Status*>(required_array<double>(3 * count));
}

Gauge Arguments::gauge(std::int64_t count, std::int64_t cols) {
  Gauge g;
  g.perm = array<std::int32_t>(count * cols);
  for (std::int64_t i = 0; g.perm && i < count * cols; ++i) {
    if (g.perm[i] < 0 || g.perm[i] >= cols) fail("not a permutation");
  }
  g.exponents = array<std::int32_t>(count * cols);
  return g;
}

template Batch<const float> Arguments::batch();
template Batch<const double> Arguments::batch();
template float* Arguments::required_array(std::int64_t);
template double* Arguments::required_array(std::int64_t);
template std::int32_t* Arguments::required_array(std::int64_t);
template float* Arguments::strided_items(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t);
template double* Arguments::strided_items(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t);
template float* Arguments::array(std::int64_t);
template double* Arguments::array(std::int64_t);

}  // namespace fsvd
