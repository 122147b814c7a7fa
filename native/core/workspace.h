// Memory a kernel needs for one item: kept per thread while it is small, given back when it is large.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace fsvd {

constexpr std::int64_t lapack_int_max = std::numeric_limits<std::int32_t>::max();

struct OutOfMemory : std::bad_alloc {
  std::int64_t bytes;
  explicit OutOfMemory(std::int64_t bytes) : bytes(bytes) {}
  const char* what() const noexcept override { return "not enough memory for the workspace"; }
};

// One allocation, cut into aligned arrays in the order they are asked for:
//   Workspace ws(bytes_for<T>(n) + bytes_for<int>(m));
//   T* a = ws.take<T>(n);
class Workspace {
 public:
  explicit Workspace(std::int64_t bytes) {
    if (bytes <= kept_bytes) {
      if (!kept()) kept().reset(allocate(kept_bytes));
      next_ = kept().get();
    } else {
      own_.reset(allocate(bytes));
      next_ = own_.get();
    }
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  template <class T>
  T* take(std::int64_t n) {
    T* p = reinterpret_cast<T*>(next_);
    next_ += bytes_for<T>(n);
    return p;
  }

  template <class T>
  static constexpr std::int64_t bytes_for(std::int64_t n) {
    return (n * static_cast<std::int64_t>(sizeof(T)) + alignment - 1) / alignment * alignment;
  }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  using Memory = std::unique_ptr<char, Free>;

  static constexpr std::int64_t alignment = 64;
  static constexpr std::int64_t kept_bytes = 1 << 20;

  static Memory& kept() {
    thread_local Memory memory;
    return memory;
  }
  static char* allocate(std::int64_t bytes) {
    void* p = std::aligned_alloc(alignment, static_cast<std::size_t>(bytes));
    if (!p) throw OutOfMemory(bytes);
    return static_cast<char*>(p);
  }

  Memory own_;
  char* next_ = nullptr;
};

}  // namespace fsvd
