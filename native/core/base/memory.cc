#include "memory.h"

#include <algorithm>
#include <cstdlib>

#if defined(_WIN32)
#include <malloc.h>
#endif

#include "faults.h"

namespace fsvd {
namespace {

#if defined(_WIN32)  // has no aligned_alloc, for what its free could not free
void* aligned(std::size_t bytes) { return _aligned_malloc(bytes, memory_alignment); }
void free_aligned(void* memory) { _aligned_free(memory); }
#else
void* aligned(std::size_t bytes) { return std::aligned_alloc(memory_alignment, bytes); }
void free_aligned(void* memory) { std::free(memory); }
#endif

}  // namespace

void* allocate(std::int64_t bytes) {
  const std::int64_t size =
      (std::max<std::int64_t>(bytes, 1) + memory_alignment - 1) / memory_alignment * memory_alignment;
  void* memory = faulty_allocation() ? nullptr : aligned(static_cast<std::size_t>(size));
  if (!memory) throw OutOfMemory(bytes);
  return memory;
}

void give_back(void* memory) noexcept { free_aligned(memory); }

}  // namespace fsvd
