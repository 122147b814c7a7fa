// A call from JavaScript, and its arguments.
#pragma once
#include "arguments.h"
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
  static constexpr std::size_t most = 64;
  Napi::Env env_;
  std::size_t count_ = most;
  napi_value values_[most];
};

// Its arguments, from `first` on: a Float64Array of all numbers, and then the arrays.
class NodeArguments final : public ArgumentSource {
 public:
  explicit NodeArguments(const Call& call, std::size_t first = 0);

  bool is_missing(std::size_t i) const override;
  bool get(std::size_t i, TypedArray& out) const override;
  bool number(std::size_t i, double& out) const override;
  void prefer_large_pages(std::size_t i) const override;

 private:
  Napi::Value at(std::size_t i) const { return call_[first_ + 1 + i]; }

  const Call& call_;
  std::size_t first_;
  const double* numbers_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace fsvd
