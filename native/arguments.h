// The arguments of a kernel call, read in order and checked: from JavaScript values to plain structs.
#pragma once
#include <cstdint>
#include <string>

#include "core/batch.h"
#include "core/pack.h"
#include "napi_setup.h"

namespace fsvd {

// One call from JavaScript. (The one of node-addon-api allocates where there are more than a few arguments.)
class Call {
 public:
  Call(napi_env env, napi_callback_info info);

  Napi::Env Env() const { return env_; }
  std::size_t Length() const { return count_; }
  Napi::Value operator[](std::size_t i) const { return i < count_ ? Napi::Value(env_, values_[i]) : Env().Undefined(); }

 private:
  static constexpr std::size_t most = 32;
  Napi::Env env_;
  std::size_t count_ = most;
  napi_value values_[most];
};

// Everything that arrives here was made by lib/kernels.ts, so a mistake is a bug of this package: it throws a plain
// TypeError, but it never reads or writes outside an array.
class Arguments {
 public:
  // Those from `first` on.
  explicit Arguments(const Call& info, std::size_t first = 0) : info_(info), position_(first) {}

  // Whether the argument after the next `ahead` ones is a Float32Array.
  bool is_float(int ahead) const;

  // data, layout (Float64Array: row stride, column stride, offset of every item), rows, cols
  template <class T>
  Batch<const T> batch();

  // A typed array of exactly `length` elements; null or undefined gives nullptr.
  template <class T>
  T* array(std::int64_t length);
  template <class T>
  T* required_array(std::int64_t length);
  // A Float64Array of parts of `size` elements, and `source` (Int32Array or null): which part each of `count` items reads.
  const double* sourced_array(const std::int32_t*& source, std::int64_t count, std::int64_t size);

  // Which items of the output a call writes: Int32Array or null for all in order.
  const std::int32_t* positions(std::int64_t count);
  // The output that holds those items, of `size` elements each, one every `stride`.
  template <class T>
  T* strided_items(const std::int32_t* positions, std::int64_t count, std::int64_t stride, std::int64_t size);
  template <class T>
  T* items_at(const std::int32_t* positions, std::int64_t count, std::int64_t size) {
    return strided_items<T>(positions, count, size, size);
  }
  Status* statuses(std::int64_t count);

  // perm and exponents, Int32Array or null
  Gauge gauge(std::int64_t count, std::int64_t cols);

  std::int64_t integer();
  double number();
  bool boolean() { return integer() != 0; }

 private:
  Napi::Value next();
  [[noreturn]] void fail(const std::string& what) const;

  const Call& info_;
  std::size_t position_;
};

}  // namespace fsvd
