// Failure on demand, for the tests of the fallbacks; compiled to nothing outside the test build.
#pragma once

namespace fsvd {

enum class Driver { gesdd = 0, gesvd = 1, gesvd_scaled = 2, gejsv = 3, blocked = 4 };

#ifdef FSVD_FAULTS
// Bit d set: driver d reports that it did not converge.
void set_faults(unsigned drivers);
bool faulty(Driver driver);
// Calls LAPACK with an illegal argument, so that it calls XERBLA; returns its info.
int illegal_call();
#else
constexpr bool faulty(Driver) { return false; }
#endif

}  // namespace fsvd
