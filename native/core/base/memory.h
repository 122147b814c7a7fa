// Memory of the computation: what cannot be had is an error that says how much it was.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fsvd {

struct OutOfMemory : std::bad_alloc {
  std::int64_t bytes;
  explicit OutOfMemory(std::int64_t bytes) : bytes(bytes) {}
  const char* what() const noexcept override { return "not enough memory"; }
};

constexpr std::int64_t memory_alignment = 64;

// At least `bytes`, aligned; to be given back. Throws OutOfMemory.
void* allocate(std::int64_t bytes);
void give_back(void* memory) noexcept;

template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(fsvd::allocate(static_cast<std::int64_t>(n * sizeof(T)))); }
  void deallocate(T* p, std::size_t) { give_back(p); }
  template <class U> bool operator==(const Allocator<U>&) const { return true; }
  template <class U> bool operator!=(const Allocator<U>&) const { return false; }
};

template <class T>
using Vector = std::vector<T, Allocator<T>>;

template <class T, class... Args>
std::shared_ptr<T> share(Args&&... args) {
  return std::allocate_shared<T>(Allocator<T>(), std::forward<Args>(args)...);
}

// Large arrays that are written for the first time: half of a short job can go into page faults, one per 4 KB.
constexpr std::size_t large_page = 2u << 20;

// Asks for large pages behind [data, data + bytes); a hint, without effect where the system has none.
inline void prefer_large_pages(void* data, std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  const std::size_t before = (large_page - reinterpret_cast<std::uintptr_t>(data) % large_page) % large_page;
  if (bytes < before + large_page) return;
  madvise(static_cast<char*>(data) + before, (bytes - before) / large_page * large_page, MADV_HUGEPAGE);
#else
  (void)data, (void)bytes;
#endif
}

}  // namespace fsvd
