// Large arrays that are written for the first time: half of a short job can go into page faults, one per 4 KB.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fsvd {

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
