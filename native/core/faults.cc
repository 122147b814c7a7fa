#include "faults.h"

#ifdef FSVD_FAULTS
#include <atomic>

namespace fsvd {

static std::atomic<unsigned> failing{0};

void set_faults(unsigned drivers) { failing = drivers; }
bool faulty(Driver driver) { return failing & (1u << static_cast<unsigned>(driver)); }

}  // namespace fsvd
#endif
