#include "memory.h"

#include <algorithm>

#include "faults.h"

namespace fsvd {

void* allocate(std::int64_t bytes) {
  const std::int64_t size =
      (std::max<std::int64_t>(bytes, 1) + memory_alignment - 1) / memory_alignment * memory_alignment;
  void* memory = faulty_allocation() ? nullptr : std::aligned_alloc(memory_alignment, static_cast<std::size_t>(size));
  if (!memory) throw OutOfMemory(bytes);
  return memory;
}

}  // namespace fsvd
