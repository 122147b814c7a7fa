#include "twisted.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/arithmetic.h"
#include "core/base/wide_vectors.h"

namespace fsvd {
namespace {

constexpr int most_bisections = 28;
// Next to a neighbour as close as can be, a Rayleigh quotient can lead out of the bracket every second time until some 20
// halvings have made the bracket as narrow as the gap.
constexpr int most_refinements = 48;
constexpr double epsilon = std::numeric_limits<double>::epsilon();
// ‖(BᵀB − λI)·z‖ for ‖z‖ = 1: as the factorizations have it, relative to λ, and as it is, relative to ‖BᵀB‖.
constexpr double largest_gamma = 16 * epsilon, largest_residual = 100 * epsilon;
constexpr double largest_squares = 1e100;

// Eigenvalues side by side: nearly all of the time goes into divisions, and into waiting for them.
constexpr int width = 4, vectors = 4, lanes = width * vectors;
using Vector = double __attribute__((vector_size(width * sizeof(double))));
struct Lanes {
  Vector v[vectors];
  double& operator[](int l) { return reinterpret_cast<double*>(v)[l]; }
  double operator[](int l) const { return reinterpret_cast<const double*>(v)[l]; }
};

constexpr Vector zero = {}, one = zero + 1, infinite = zero + std::numeric_limits<double>::infinity();
constexpr Vector instead_of_zero = zero - 1e-200;  // as a divisor

// BᵀB = L·D·Lᵀ, L with ones on its diagonal: D, L and L·D, which stands beside the diagonal of BᵀB.
struct Factors {
  std::int64_t n;
  const double *d, *l, *ld, *diagonal;
};

// How many eigenvalues are below each lambda.
FSVD_WIDE_VECTORS void count_below(const Factors& f, const Lanes& lambda, Lanes& below) {
  const Lanes mu = lambda;
  Lanes s, count = {};
  for (int v = 0; v < vectors; ++v) s.v[v] = -mu.v[v];
  for (std::int64_t i = 0; i < f.n; ++i) {
    const double d = f.d[i], lld = f.l[i] * f.ld[i];
    for (int v = 0; v < vectors; ++v) {
      const Vector sum = d + s.v[v], pivot = sum == 0 ? instead_of_zero : sum;
      count.v[v] += pivot < 0 ? one : zero;
      s.v[v] = lld * (s.v[v] / pivot) - mu.v[v];
    }
  }
  below = count;
}

// For each lambda the factorizations of BᵀB − λI from both ends, and the vector z, 1 where they meet, for which
// (BᵀB − λI)·z is gamma there and 0 elsewhere. Gamma where they might meet is the sum of a part from above, which stands
// in z until the vector does, and one from below.
struct Twisted {
  Lanes *upper, *lower, *from_below, *z;                 // n each
  Lanes lambda, below, gamma, meet, squares, residuals;  // ‖z‖² and ‖(BᵀB − λI)·z‖²

  static constexpr std::int64_t arrays = 4;
};

// Both at once, so that the divisions of one do not wait for those of the other. They meet where gamma is least.
FSVD_WIDE_VECTORS void factorize(const Factors& f, Twisted& t) {
  const std::int64_t last = f.n - 1;
  Lanes* __restrict upper = t.upper;
  Lanes* __restrict lower = t.lower;
  Lanes* __restrict from_above = t.z;
  Lanes* __restrict from_below = t.from_below;
  const Lanes mu = t.lambda;
  Lanes s, p, count = {}, gamma, meet = {}, least;
  for (int v = 0; v < vectors; ++v) {
    s.v[v] = -mu.v[v], p.v[v] = f.d[last] - mu.v[v], gamma.v[v] = least.v[v] = infinite;
    from_below[last].v[v] = zero + f.d[last], upper[last].v[v] = lower[last].v[v] = zero;
  }
  for (std::int64_t i = 0, j = last - 1; i < last; ++i, --j) {
    const double d = f.d[i], l = f.l[i], ld = f.ld[i], d_j = f.d[j], l_j = f.l[j], lld_j = f.l[j] * f.ld[j];
    for (int v = 0; v < vectors; ++v) {
      const Vector sum = d + s.v[v], pivot = sum == 0 ? instead_of_zero : sum, up = ld / pivot;
      from_above[i].v[v] = s.v[v], upper[i].v[v] = up;
      count.v[v] += pivot < 0 ? one : zero;
      s.v[v] = up * l * s.v[v] - mu.v[v];
    }
    for (int v = 0; v < vectors; ++v) {
      const Vector sum = lld_j + p.v[v], pivot = sum == 0 ? instead_of_zero : sum;
      const Vector ratio = d_j / pivot, r = lld_j == 0 ? zero + d_j : ratio * p.v[v];  // there the matrix splits
      lower[j].v[v] = l_j * ratio, from_below[j].v[v] = r;
      p.v[v] = r - mu.v[v];
    }
  }
  for (int v = 0; v < vectors; ++v) {
    from_above[last].v[v] = s.v[v];
    count.v[v] += f.d[last] + s.v[v] < 0 ? one : zero;
  }
  for (std::int64_t i = 0; i <= last; ++i) {
    const double at = static_cast<double>(i);
    for (int v = 0; v < vectors; ++v) {
      const Vector here = from_above[i].v[v] + from_below[i].v[v], square = here * here;
      const auto less = square < least.v[v];
      least.v[v] = less ? square : least.v[v], gamma.v[v] = less ? here : gamma.v[v];
      meet.v[v] = less ? zero + at : meet.v[v];
    }
  }
  t.below = count, t.gamma = gamma, t.meet = meet;
}

FSVD_WIDE_VECTORS void solve(std::int64_t n, Twisted& t) {
  const Lanes* __restrict upper = t.upper;
  const Lanes* __restrict lower = t.lower;
  Lanes* __restrict z = t.z;
  const Lanes meet = t.meet;
  Lanes x = {}, squares = {};
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const double at = static_cast<double>(i);
    for (int v = 0; v < vectors; ++v) {
      const Vector next = meet.v[v] == at ? one : -upper[i].v[v] * x.v[v];
      x.v[v] = z[i].v[v] = next, squares.v[v] += next * next;
    }
  }
  x = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const double at = static_cast<double>(i);
    for (int v = 0; v < vectors; ++v) {
      z[i].v[v] += x.v[v], squares.v[v] += x.v[v] * x.v[v];
      x.v[v] = -lower[i].v[v] * (meet.v[v] == at ? one : x.v[v]);
    }
  }
  t.squares = squares;
}

// From the elements of BᵀB: where two factorizations break down in the same place they prove nothing.
FSVD_WIDE_VECTORS void check(const Factors& f, Twisted& t) {
  const Lanes* __restrict z = t.z;
  const Lanes mu = t.lambda;
  Lanes sum = {};
  double before = 0;
  for (std::int64_t i = 0; i < f.n; ++i) {
    const Lanes &previous = z[std::max<std::int64_t>(i - 1, 0)], &next = z[std::min(i + 1, f.n - 1)];
    const double diagonal = f.diagonal[i], after = f.ld[i];
    for (int v = 0; v < vectors; ++v) {
      const Vector r = before * previous.v[v] + (diagonal - mu.v[v]) * z[i].v[v] + after * next.v[v];
      sum.v[v] += r * r;
    }
    before = after;
  }
  t.residuals = sum;
}

// Where the eigenvalue lies that has `index` others below it.
struct Bracket {
  double index, low, high, below_low, below_high;

  double middle() const { return std::sqrt(low * high); }
  bool isolated() const { return below_low == index && below_high == index + 1; }
  void cut(double at, double below) {
    if (at <= low || at >= high) return;
    if (below <= index) low = at, below_low = below;
    else high = at, below_high = below;
  }
};

class Spectrum {
 public:
  explicit Spectrum(const TwistedSvd& b) : n_(b.n), values_(b.sigma), vt_(b.vt) {
    Lanes* arrays = reinterpret_cast<Lanes*>(b.work);
    twisted_.upper = arrays, twisted_.lower = arrays + n_;
    twisted_.from_below = arrays + 2 * n_, twisted_.z = arrays + 3 * n_;
    brackets_ = reinterpret_cast<Bracket*>(arrays + Twisted::arrays * n_);
    double *d = reinterpret_cast<double*>(brackets_ + n_), *l = d + n_, *ld = l + n_, *diagonal = ld + n_;
    for (std::int64_t i = 0; i < n_; ++i) {
      const double e = i + 1 < n_ ? b.e[i] : 0, above = i > 0 ? b.e[i - 1] : 0;
      d[i] = b.d[i] * b.d[i], l[i] = e / b.d[i], ld[i] = e * b.d[i], diagonal[i] = d[i] + above * above;
    }
    factors_ = {n_, d, l, ld, diagonal};
  }

  static std::int64_t work_size(std::int64_t n) {
    return 4 * n + Twisted::arrays * n * lanes + n * static_cast<std::int64_t>(sizeof(Bracket) / sizeof(double));
  }

  TwistedSvd::Outcome run(double least) {
    using Outcome = TwistedSvd::Outcome;
    most_ = bound();
    if (!(most_ < largest_squares)) return Outcome::too_close;
    if (!(least < most_) || !begin(least)) return Outcome::below_least;
    if (!isolate() || !refine() || !apart()) return Outcome::too_close;
    for (std::int64_t j = 0; j < n_; ++j) values_[j] = std::sqrt(values_[j]);
    return Outcome::found;
  }

 private:
  static constexpr std::int64_t none = -1;

  // Of the eigenvalues (Gershgorin).
  double bound() const {
    double most = 0, before = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      const double after = std::abs(factors_.ld[i]);
      most = std::max(most, before + factors_.diagonal[i] + after);
      before = after;
    }
    return most * (1 + 1e-6);
  }

  // All brackets, from a row of points; false where an eigenvalue is below `least`.
  bool begin(double least) {
    const std::int64_t points = parts_of(n_, lanes) * lanes;
    // A float, because the last bits of pow depend on the processor.
    const double ratio = static_cast<float>(std::pow(most_ / least, 1 / static_cast<double>(points)));
    double low = least, below_low = 0;
    const auto between = [&](double high, double below_high) {
      for (double index = below_low; index < below_high; ++index)
        brackets_[n_ - 1 - static_cast<std::int64_t>(index)] = {index, low, high, below_low, below_high};
      low = high, below_low = below_high;
    };
    for (std::int64_t first = 0; first < n_; first += lanes) {
      Lanes at, below;
      for (int l = 0; l < lanes; ++l) at[l] = first + l == 0 ? least : (l == 0 ? low : at[l - 1]) * ratio;
      count_below(factors_, at, below);
      if (first == 0 && below[0] > 0) return false;
      for (int l = 0; l < lanes; ++l) between(at[l], below[l]);
    }
    between(most_, static_cast<double>(n_));
    return true;
  }

  // Cuts all brackets until each holds one eigenvalue.
  bool isolate() {
    for (int step = 0; step < most_bisections; ++step) {
      bool all = true;
      for (std::int64_t first = 0; first < n_; first += lanes) {
        Bracket* b = brackets_ + first;
        const int kept = static_cast<int>(std::min<std::int64_t>(lanes, n_ - first));
        if (std::all_of(b, b + kept, [](const Bracket& x) { return x.isolated(); })) continue;
        Lanes at, below;
        for (int l = 0; l < lanes; ++l) at[l] = b[std::min(l, kept - 1)].middle();
        count_below(factors_, at, below);
        for (int l = 0; l < kept; ++l) b[l].cut(at[l], below[l]);
        all = false;
      }
      if (all) return true;
    }
    return false;
  }

  // By the Rayleigh quotients of the vectors. A lane whose eigenvalue is found takes the next one.
  bool refine() {
    std::int64_t next = 0, found = 0, eigenvalue[lanes];
    int steps[lanes];
    const auto take = [&](int l) {
      eigenvalue[l] = next < n_ ? next++ : none;
      if (eigenvalue[l] != none) twisted_.lambda[l] = brackets_[eigenvalue[l]].middle(), steps[l] = 0;
    };
    for (int l = 0; l < lanes; ++l) twisted_.lambda[l] = brackets_[0].middle(), take(l);
    while (found < n_) {
      factorize(factors_, twisted_);
      solve(n_, twisted_);
      check(factors_, twisted_);
      for (int l = 0; l < lanes; ++l) {
        if (eigenvalue[l] == none) continue;
        if (improve(brackets_[eigenvalue[l]], l)) store(eigenvalue[l], l), take(l), ++found;
        else if (++steps[l] == most_refinements) return false;
      }
    }
    return true;
  }

  bool apart() const {
    for (std::int64_t j = 1; j < n_; ++j)
      if (!(values_[j - 1] - values_[j] >= TwistedSvd::least_gap * values_[j - 1])) return false;
    return true;
  }

  // The next value of lambda in lane l, unless this one will do.
  bool improve(Bracket& b, int l) {
    Twisted& t = twisted_;
    const double lambda = t.lambda[l], squares = t.squares[l];
    const double length = std::sqrt(squares), residual = std::sqrt(t.residuals[l]);
    const bool found = std::abs(t.gamma[l]) <= largest_gamma * lambda * length;
    if (found && residual <= largest_residual * most_ * length && squares < largest_squares) return true;
    b.cut(lambda, t.below[l]);
    const double next = lambda + t.gamma[l] / squares;
    t.lambda[l] = next > b.low && next < b.high && next != lambda ? next : b.middle();
    return false;
  }

  void store(std::int64_t j, int l) const {
    values_[j] = twisted_.lambda[l] + twisted_.gamma[l] / twisted_.squares[l];
    if (!vt_) return;
    const double scale = 1 / std::sqrt(twisted_.squares[l]);
    for (std::int64_t c = 0; c < n_; ++c) vt_[j + c * n_] = twisted_.z[c][l] * scale;
  }

  std::int64_t n_;
  double most_, *values_, *vt_;  // no eigenvalue is above most_
  Factors factors_;
  Twisted twisted_;
  Bracket* brackets_;
};

}  // namespace

std::int64_t TwistedSvd::work_size(std::int64_t n) { return Spectrum::work_size(n); }

TwistedSvd::Outcome TwistedSvd::run(double least) const { return Spectrum(*this).run(least); }

}  // namespace fsvd
