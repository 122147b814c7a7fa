#include "faults.h"

#ifdef FSVD_FAULTS
#include <atomic>

#include "lapack.h"

namespace fsvd {

static std::atomic<unsigned> failing{0}, skewed_sides{0};

void set_faults(unsigned drivers) { failing = drivers; }
void set_skewed(unsigned sides) { skewed_sides = sides; }
int illegal_call() { return lapack::potrf('U', -1, static_cast<double*>(nullptr), 1); }

static std::atomic<long> allocations{0}, failing_allocation{0};

void fail_allocation(long number) { failing_allocation = number, allocations = 0; }
bool allocation_has_failed() { return failing_allocation > 0 && allocations >= failing_allocation; }
bool faulty_allocation() { return failing_allocation > 0 && ++allocations == failing_allocation; }

bool skewed(Side side) { return skewed_sides & (1u << static_cast<unsigned>(side)); }
bool faulty(Driver driver) { return failing & (1u << static_cast<unsigned>(driver)); }

}  // namespace fsvd
#endif
