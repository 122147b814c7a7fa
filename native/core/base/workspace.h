// Memory a kernel needs for one item: kept per thread, unless it is very large.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "memory.h"

namespace fsvd {

// One allocation, cut into aligned arrays in the order they are asked for:
//   Workspace ws(bytes_for<T>(n) + bytes_for<int>(m));
//   T* a = ws.take<T>(n);
class Workspace {
 public:
  explicit Workspace(std::int64_t bytes) {
    Keeper* const keeper = bytes <= most_kept ? Keeper::mine : nullptr;
    if (!keeper || keeper->taken_) {
      own_ = allocate(bytes);
      next_ = own_.get();
      return;
    }
    if (keeper->bytes_ < bytes) {
      keeper->memory_.reset(), keeper->bytes_ = 0;  // first back, then the larger one
      keeper->memory_ = allocate(bytes), keeper->bytes_ = bytes;
    }
    keeper->taken_ = true;
    keeper_ = keeper;
    next_ = keeper->memory_.get();
  }
  ~Workspace() {
    if (keeper_) keeper_->taken_ = false;
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
    return (n * static_cast<std::int64_t>(sizeof(T)) + memory_alignment - 1) / memory_alignment * memory_alignment;
  }

 private:
  struct Free {
    void operator()(char* p) const { give_back(p); }
  };
  using Memory = std::unique_ptr<char, Free>;

 public:
  // While it lives, its thread keeps what its last large matrix needed; the pages of fresh memory cost as much time as
  // some of the work. (Made where a thread begins: one that is made at first use would be one more thing that can fail.)
  class Keeper {
   public:
    Keeper() {
      if (!mine) mine = this;
    }
    ~Keeper() {
      if (mine == this) mine = nullptr;
    }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

   private:
    friend class Workspace;
    static inline thread_local Keeper* mine = nullptr;
    Memory memory_;
    std::int64_t bytes_ = 0;
    bool taken_ = false;
  };

 private:
  static constexpr std::int64_t most_kept = 32 << 20;
  static constexpr std::int64_t large = 4 << 20;

  static Memory allocate(std::int64_t bytes) {
    Memory memory(static_cast<char*>(fsvd::allocate(bytes)));
    if (bytes >= large) prefer_large_pages(memory.get(), static_cast<std::size_t>(bytes));
    return memory;
  }

  Keeper* keeper_ = nullptr;
  Memory own_;
  char* next_ = nullptr;
};

}  // namespace fsvd
