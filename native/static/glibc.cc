// What a linker on a new system binds to a new version of glibc's symbol, bound to the old one that does the same, so that
// the addon loads wherever Node itself does (glibc 2.28). `-Wl,--wrap=NAME` sends the calls of this code and of the static
// libraries here. The names are listed in static.cmake, and `npm run package:platform` refuses an addon that asks for more.
#include <features.h>
#ifdef __GLIBC__
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>

#include <cstddef>

// The first version of glibc for the architecture, and where it differs that of the affinity calls with a size.
#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#define AFFINITY "GLIBC_2.3.4"
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#define AFFINITY FIRST
#else
#error "the first version of glibc for this architecture is not known here"
#endif

#define OLD(version, result, name, parameters, arguments)          \
  extern "C" {                                                     \
  result old_##name parameters;                                    \
  __asm__(".symver old_" #name ", " #name "@" version);            \
  result __wrap_##name parameters { return old_##name arguments; } \
  }

// 2.34 took the library of threads into that of C. The functions are the same.
OLD(FIRST, int, pthread_create,
    (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument),
    (thread, attributes, start, argument))
OLD(FIRST, int, pthread_join, (pthread_t thread, void** result), (thread, result))
OLD(FIRST, int, pthread_once, (pthread_once_t * once, void (*function)()), (once, function))
OLD(FIRST, int, __pthread_key_create, (pthread_key_t * key, void (*destroy)(void*)), (key, destroy))
OLD(FIRST, int, pthread_attr_setstacksize, (pthread_attr_t * attributes, std::size_t bytes), (attributes, bytes))
OLD(AFFINITY, int, pthread_getaffinity_np, (pthread_t thread, std::size_t bytes, cpu_set_t* processors),
    (thread, bytes, processors))
OLD(AFFINITY, int, pthread_setaffinity_np, (pthread_t thread, std::size_t bytes, const cpu_set_t* processors),
    (thread, bytes, processors))

// 2.29 and 2.35 took out how errors were handled in System V (`matherr`), which is off by default. The values are the same.
OLD(FIRST, double, log, (double x), (x))
OLD(FIRST, double, pow, (double x, double y), (x, y))
OLD(FIRST, double, hypot, (double x, double y), (x, y))
OLD(FIRST, float, hypotf, (float x, float y), (x, y))

#undef OLD

// 2.32: whether the process has one thread only, for which libstdc++ then counts references without atomic operations.
extern "C" char __wrap___libc_single_threaded;
char __wrap___libc_single_threaded = 0;

#ifdef DLFO_STRUCT_HAS_EH_DBASE
// 2.35: where the unwinding tables of the code at an address are, for libgcc when it looks for a handler. Before, libgcc
// asked dl_iterate_phdr itself.
namespace {
using Address = ElfW(Addr);
using Header = ElfW(Phdr);

struct Search {
  Address address;
  dl_find_object* found;
};

int look_into(dl_phdr_info* object, std::size_t, void* data) {
  const Search& search = *static_cast<Search*>(data);
  const Header *code = nullptr, *tables = nullptr;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const Header& header = object->dlpi_phdr[i];
    if (header.p_type == PT_LOAD && search.address - object->dlpi_addr - header.p_vaddr < header.p_memsz)
      code = &header;
    if (header.p_type == PT_GNU_EH_FRAME) tables = &header;
  }
  if (!code || !tables) return 0;
  *search.found = {};
  search.found->dlfo_map_start = reinterpret_cast<void*>(object->dlpi_addr + code->p_vaddr);
  search.found->dlfo_map_end = reinterpret_cast<void*>(object->dlpi_addr + code->p_vaddr + code->p_memsz);
  search.found->dlfo_eh_frame = reinterpret_cast<void*>(object->dlpi_addr + tables->p_vaddr);
  return 1;
}
}  // namespace

extern "C" int __wrap__dl_find_object(void* address, dl_find_object* found) {
  Search search{reinterpret_cast<Address>(address), found};
  return dl_iterate_phdr(look_into, &search) ? 0 : -1;
}
#endif
#endif
