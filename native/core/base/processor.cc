#include "processor.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#include <cstring>
#endif

namespace fsvd {

#if defined(__x86_64__) || defined(__i386__)
namespace {

bool is_among(const char* core, const char* const* names) {
  for (; *names; ++names)
    if (std::strcmp(core, *names) == 0) return true;
  return false;
}

bool has_3dnow() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (d >> 31 & 1) != 0;
}

}  // namespace

const char* missing_feature(const char* core) {
  static const char* const with_3dnow[] = {"Athlon", "Opteron", "Opteron_SSE3", nullptr};
  static const char* const with_fma4[] = {"Bulldozer", "Piledriver", "Steamroller", "Excavator", nullptr};
  static const char* const with_avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids", nullptr};
  static const char* const with_avx2[] = {"Haswell", "Zen", nullptr};
  static const char* const with_ssse3[] = {"Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Nano", nullptr};
  __builtin_cpu_init();
  if (is_among(core, with_3dnow)) return has_3dnow() ? nullptr : "3dnow";
  if (is_among(core, with_fma4)) return __builtin_cpu_supports("fma4") ? nullptr : "fma4";
  if (is_among(core, with_avx512)) {
    if (!__builtin_cpu_supports("avx512f")) return "avx512f";
    if (!__builtin_cpu_supports("avx512vl")) return "avx512vl";
    if (!__builtin_cpu_supports("avx512dq")) return "avx512dq";
    if (!__builtin_cpu_supports("avx512bw")) return "avx512bw";
    if (std::strcmp(core, "SkylakeX") == 0) return nullptr;
    return __builtin_cpu_supports("avx512bf16") ? nullptr : "avx512_bf16";
  }
  if (is_among(core, with_avx2)) {
    if (!__builtin_cpu_supports("avx2")) return "avx2";
    return __builtin_cpu_supports("fma") ? nullptr : "fma";
  }
  if (std::strcmp(core, "Sandybridge") == 0) return __builtin_cpu_supports("avx") ? nullptr : "avx";
  if (is_among(core, with_ssse3)) return __builtin_cpu_supports("ssse3") ? nullptr : "ssse3";
  return nullptr;
}
#else
const char* missing_feature(const char*) { return nullptr; }
#endif

}  // namespace fsvd
