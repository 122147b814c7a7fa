// Memory a kernel needs for one item: kept per thread, unless it is very large.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

#include "large_pages.h"

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
  explicit Workspace(std::int64_t bytes) : kept_(bytes <= most_kept && !kept().taken) {
    if (kept_) {
      Kept& mine = kept();
      if (mine.bytes < bytes) {
        mine = {};  // first back, then the larger one
        mine = {allocate(bytes), bytes, false};
      }
      mine.taken = true;
      next_ = mine.memory.get();
    } else {
      own_ = allocate(bytes);
      next_ = own_.get();
    }
  }
  ~Workspace() {
    if (kept_) kept().taken = false;
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

  // What the last large matrix of a thread needed; the pages of fresh memory cost as much time as some of the work.
  struct Kept {
    Memory memory;
    std::int64_t bytes = 0;
    bool taken = false;
  };

  static constexpr std::int64_t alignment = 64;
  static constexpr std::int64_t most_kept = 32 << 20;
  static constexpr std::int64_t large = 4 << 20;

  static Kept& kept() {
    thread_local Kept mine;
    return mine;
  }
  static Memory allocate(std::int64_t bytes) {
    const std::int64_t size = (std::max<std::int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
    Memory memory(static_cast<char*>(std::aligned_alloc(alignment, static_cast<std::size_t>(size))));
    if (!memory) throw OutOfMemory(bytes);
    if (size >= large) prefer_large_pages(memory.get(), static_cast<std::size_t>(size));
    return memory;
  }

  bool kept_;
  Memory own_;
  char* next_ = nullptr;
};

}  // namespace fsvd
