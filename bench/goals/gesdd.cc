// LAPACK's own time for a 4x4 matrix, in microseconds: what any caller of dgesdd has to pay. Input copied, because dgesdd
// overwrites it; workspace allocated once.
#include <chrono>
#include <cstdio>
#include <cstring>

extern "C" {
void dgesdd_(const char*, const int*, const int*, double*, const int*, double*, double*, const int*, double*,
             const int*, double*, const int*, int*, int*, std::size_t);
void openblas_set_num_threads(int);
}

int main() {
  openblas_set_num_threads(1);
  const int n = 4, lwork = 1024, calls = 200000;
  const double given[n * n] = {4, 1, -2, 2, 1, 2, 0, 1, -2, 0, 3, -2, 2, 1, -2, -1};
  double a[n * n], s[n], u[n * n], vt[n * n], work[lwork];
  int iwork[8 * n], info = 0;
  const auto run = [&](int times) {
    for (int i = 0; i < times && info == 0; ++i) {
      std::memcpy(a, given, sizeof a);
      dgesdd_("S", &n, &n, a, &n, s, u, &n, vt, &n, work, &lwork, iwork, &info, 1);
    }
  };
  run(calls / 10);
  const auto start = std::chrono::steady_clock::now();
  run(calls);
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  std::printf("%g\n", spent.count() / calls);
  return info;
}
