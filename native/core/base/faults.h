// Failure on demand, for the tests of the fallbacks; compiled to nothing outside the test build.
#pragma once

namespace fsvd {

enum class Driver;  // core/kernels/svd.h
enum class Side { left = 0, right = 1 };

#ifdef FSVD_FAULTS
// Bit d set: driver d reports that it did not converge.
void set_faults(unsigned drivers);
bool faulty(Driver driver);
// Bit 0 (1) set: the left (right) vectors of ?gejsv are not orthogonal, though its info is 0.
void set_skewed(unsigned sides);
bool skewed(Side side);
// From now on the allocation with this number (1 is the next one) fails; 0: none.
void fail_allocation(long number);
bool allocation_has_failed();
// Counts an allocation: whether it fails.
bool faulty_allocation();
// Calls LAPACK with an illegal argument, so that it calls XERBLA; returns its info.
int illegal_call();
#else
constexpr bool skewed(Side) { return false; }
constexpr bool faulty(Driver) { return false; }
constexpr bool faulty_allocation() { return false; }
#endif

}  // namespace fsvd
