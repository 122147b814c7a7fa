// What this code allocates with `new`, counted among the allocations that fail on demand (the linker puts these in).
#include <cstddef>
#include <new>

#include "core/base/faults.h"

extern "C" {
void* __real__Znwm(std::size_t);
void* __real__Znam(std::size_t);
void* __real__ZnwmRKSt9nothrow_t(std::size_t, const std::nothrow_t&) noexcept;
void* __real__ZnamRKSt9nothrow_t(std::size_t, const std::nothrow_t&) noexcept;

void* __wrap__Znwm(std::size_t n) {
  if (fsvd::faulty_allocation()) throw std::bad_alloc();
  return __real__Znwm(n);
}
void* __wrap__Znam(std::size_t n) {
  if (fsvd::faulty_allocation()) throw std::bad_alloc();
  return __real__Znam(n);
}
void* __wrap__ZnwmRKSt9nothrow_t(std::size_t n, const std::nothrow_t& t) noexcept {
  return fsvd::faulty_allocation() ? nullptr : __real__ZnwmRKSt9nothrow_t(n, t);
}
void* __wrap__ZnamRKSt9nothrow_t(std::size_t n, const std::nothrow_t& t) noexcept {
  return fsvd::faulty_allocation() ? nullptr : __real__ZnamRKSt9nothrow_t(n, t);
}
}
