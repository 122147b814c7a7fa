// Functions as values, without the allocations of std::function: one that is shared, and one that is only referred to.
#pragma once
#include <memory>
#include <utility>

#include "memory.h"

namespace fsvd {

template <class Signature>
class SharedFunction;

// Copies share one object, which several threads may call. Throws OutOfMemory when it is made.
template <class R, class... Args>
class SharedFunction<R(Args...)> {
 public:
  SharedFunction() = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, SharedFunction>>>
  SharedFunction(F&& f) : held_(share<Holding<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const { return held_ != nullptr; }
  R operator()(Args... args) const { return held_->call(std::forward<Args>(args)...); }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual R call(Args... args) const = 0;
  };
  template <class F>
  struct Holding final : Held {
    F f;
    explicit Holding(F f) : f(std::move(f)) {}
    R call(Args... args) const override { return f(std::forward<Args>(args)...); }
  };
  std::shared_ptr<const Held> held_;
};

template <class Signature>
class FunctionRef;

// Valid as long as what it was made of.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, FunctionRef>>>
  FunctionRef(const F& f)
      : object_(&f), call_([](const void* object, Args... args) -> R {
          return (*static_cast<const F*>(object))(std::forward<Args>(args)...);
        }) {}
  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  const void* object_;
  R (*call_)(const void*, Args...);
};

}  // namespace fsvd
