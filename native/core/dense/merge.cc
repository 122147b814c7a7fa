#include "merge.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/arithmetic.h"
#include "core/base/memory.h"
#include "core/base/wide_vectors.h"
#include "secular.h"

namespace fsvd {
namespace {

constexpr std::int64_t roots = 16;  // of the secular equation that one thread computes at a time
constexpr std::int64_t tile = 192;  // of the products with the new vectors
constexpr std::int64_t line = 64;   // columns, where they are only copied

// Which half of a node a vector of one of its children lives in; `both` where two have been turned into each other.
enum Half : std::int64_t { left_half, both_halves, right_half, deflated };

// One singular value of the small matrix, a pole and the distance from there, and what d² − σ² is for each d: in double for
// float too, because the rounding errors of a product over all of them would add up.
struct Sigma {
  double origin, offset;
  double value() const { return origin + offset; }
  double difference(double d) const { return ((d - origin) - offset) * ((d + origin) + offset); }
};

template <class T>
FSVD_WIDE_VECTORS void quotients(std::int64_t n, const double* z, const T* d, Sigma sigma, double* x) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = z[i] / sigma.difference(d[i]);
}

// product[i] *= (d_i² − σ²) / (d_i² − other²)
template <class T>
FSVD_WIDE_VECTORS void multiply_ratios(std::int64_t n, const T* d, Sigma sigma, double other, double* product) {
  for (std::int64_t i = 0; i < n; ++i) product[i] *= sigma.difference(d[i]) / ((d[i] - other) * (d[i] + other));
}

// Scales x by a power of two, so that squares of its largest elements are representable, and returns its length then.
FSVD_WIDE_VECTORS double length(std::int64_t n, double* x) {
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  int exponent = 0;
  std::frexp(largest, &exponent);
  const PowerOfTwo<double> scale(-exponent);
  for (std::int64_t i = 0; i < n; ++i) x[i] = scale * x[i];
  return std::sqrt(sum_of_squares(x, n));
}

// Joins the decompositions of both children of a node. With D = diag(0, d) and z the middle row in the basis of the
// children's right vectors, B is orthogonally equivalent to D with its first row replaced by zᵀ.
template <class T>
class Merge {
 public:
  // All of it local to the node. Scratch is taken from where the rows of the node stand, so that nodes do not meet.
  Merge(Team& team, const BidiagonalSvd<T>& b, const Node& node)
      : team_(team), n_(node.n), m_(node.cols()), nl_(node.left()), has_extra_(node.extra != 0), d_(b.d + node.first),
        u_(b.u ? b.u + node.first * (b.ldu + 1) : nullptr), vt_(b.vt + node.first * (b.ldvt + 1)), ldu_(b.ldu),
        ldvt_(b.ldvt), order_(b.index + node.first), alpha_(b.d[node.middle()]), beta_(b.e[node.middle()]),
        z_(b.work + node.first * (merge_work(b.n) / b.n)), dsigma_(z_ + m_), zhat_(dsigma_ + n_), sigma_(zhat_ + n_),
        space_(sigma_ + n_), sorted_(b.index + b.n + merge_index(node.first)), kept_(sorted_ + n_), place_(kept_ + n_),
        half_(place_ + n_) {}

  lapack_int run() {
    form_z();
    if (tolerance_ == 0) {  // all of it is zero, and the vectors are orthonormal as they are
      std::iota(order_, order_ + n_, std::int64_t{0});
      return 0;
    }
    deflate();
    arrange();
    if (!solve()) return 1;
    refine_z();
    vectors();
    multiply();
    sort();
    return 0;
  }

 private:
  T* u(std::int64_t r, std::int64_t c) const { return u_ + r + c * ldu_; }
  T* vt(std::int64_t r, std::int64_t c) const { return vt_ + r + c * ldvt_; }
  std::int64_t k() const { return count_; }

  void rotate_rows_of_vt(std::int64_t p, std::int64_t q, T c, T s) {  // (p, q) = (c·p + s·q, c·q − s·p)
    for (std::int64_t j = 0; j < m_; ++j) {
      const T x = *vt(p, j), y = *vt(q, j);
      *vt(p, j) = c * x + s * y, *vt(q, j) = c * y - s * x;
    }
  }
  void rotate_columns_of_u(std::int64_t p, std::int64_t q, T c, T s) {
    if (!u_) return;
    for (std::int64_t r = 0; r < n_; ++r) {
      const T x = *u(r, p), y = *u(r, q);
      *u(r, p) = c * x + s * y, *u(r, q) = c * y - s * x;
    }
  }

  void form_z() {
    // The children wrote their diagonal blocks; the middle column of U is a unit vector.
    if (u_) {
      for (std::int64_t c = 0; c < nl_; ++c) std::fill_n(u(nl_, c), n_ - nl_, T(0));
      std::fill_n(u(0, nl_), n_, T(0)), *u(nl_, nl_) = 1;
      for (std::int64_t c = nl_ + 1; c < n_; ++c) std::fill_n(u(0, c), nl_ + 1, T(0));
    }
    for (std::int64_t c = 0; c <= nl_; ++c) std::fill_n(vt(nl_ + 1, c), m_ - nl_ - 1, T(0));
    for (std::int64_t c = nl_ + 1; c < m_; ++c) std::fill_n(vt(0, c), nl_ + 1, T(0));
    for (std::int64_t r = 0; r <= nl_; ++r) z_[r] = alpha_ * *vt(r, nl_);
    for (std::int64_t r = nl_ + 1; r < m_; ++r) z_[r] = beta_ * *vt(r, nl_ + 1);
    T largest = std::max(std::abs(alpha_), std::abs(beta_));
    for (std::int64_t c = 0; c < n_; ++c)
      if (c != nl_) largest = std::max(largest, d_[c]);
    if (largest == 0) return;
    const T eps = std::numeric_limits<T>::epsilon(), scale = std::max(largest, std::numeric_limits<T>::min() / eps);
    // ?bdsdc takes 4·eps·scale: of n singular values that are all changed by that much the squares add up.
    tolerance_ = 4 * eps * scale / std::sqrt(static_cast<T>(n_));
    std::frexp(scale, &exponent_);
    T first = z_[nl_];
    if (has_extra_) {  // one of both null vectors can be turned away from z
      const T r = std::hypot(z_[nl_], z_[n_]);
      if (r > tolerance_) rotate_rows_of_vt(nl_, n_, z_[nl_] / r, z_[n_] / r);
      first = r;
    }
    z_[nl_] = std::abs(first) <= tolerance_ ? tolerance_ : first;
    d_[nl_] = 0;
  }

  // Elements of z that are negligible, or can be made so by turning two nearly equal singular values into each other,
  // leave their singular values as they are. kept_ lists the others: the middle, then ascending.
  void deflate() {
    for (std::int64_t j = nl_ + 1; j < n_; ++j) order_[j] += nl_ + 1;
    const std::int64_t* end = std::merge(order_, order_ + nl_, order_ + nl_ + 1, order_ + n_, sorted_,
                                         [&](std::int64_t x, std::int64_t y) { return d_[x] < d_[y]; });
    for (std::int64_t c = 0; c < n_; ++c) half_[c] = c < nl_ ? left_half : right_half;
    half_[nl_] = both_halves;
    kept_[0] = nl_, count_ = 1;
    std::int64_t last = -1;
    for (const std::int64_t* p = sorted_; p != end; ++p) {
      const std::int64_t c = *p;
      if (std::abs(z_[c]) <= tolerance_) {
        half_[c] = deflated;
        continue;
      }
      if (last >= 0 && d_[c] - d_[last] <= tolerance_) {
        const T r = std::hypot(z_[c], z_[last]), cosine = z_[c] / r, sine = -z_[last] / r;
        rotate_columns_of_u(last, c, cosine, sine);
        rotate_rows_of_vt(last, c, cosine, sine);
        z_[c] = r, z_[last] = 0;
        if (half_[c] != half_[last]) half_[c] = both_halves;
        half_[last] = deflated;
      } else if (last >= 0) {
        kept_[count_++] = last;
      }
      last = c;
    }
    if (last >= 0) kept_[count_++] = last;
  }

  // Packs the vectors that are kept, grouped by the half that they live in: left, both (the middle first), right.
  // Those that are deflated stand behind, as they are.
  void arrange() {
    std::int64_t group[4] = {0, 0, 0, 0};
    for (std::int64_t j = 0; j < k(); ++j) ++group[half_[kept_[j]]];
    lefts_ = group[0], boths_ = group[1], rights_ = group[2];
    std::int64_t next[3] = {0, lefts_, lefts_ + boths_};
    for (std::int64_t j = 0; j < k(); ++j) place_[j] = next[half_[kept_[j]]]++;
    upper_ = lefts_ + boths_, lower_ = boths_ + rights_;
    u_upper_ = space_;
    u_lower_ = u_upper_ + nl_ * upper_;
    vt_left_ = u_lower_ + (n_ - nl_) * lower_;
    vt_right_ = vt_left_ + upper_ * (nl_ + 1);
    u_rest_ = vt_right_ + lower_ * (m_ - nl_ - 1);
    vt_rest_ = u_rest_ + n_ * (n_ - k());
    q_ = vt_rest_ + m_ * (n_ - k());
    w_ = q_ + k() * k();
    std::int64_t* end =
        std::copy_if(sorted_, sorted_ + n_ - 1, kept_ + k(), [&](std::int64_t c) { return half_[c] == deflated; });
    std::stable_sort(kept_ + k(), end, [&](std::int64_t x, std::int64_t y) { return d_[x] < d_[y]; });
    team_.each(parts_of(m_, line), [&](std::int64_t p) {
      for (std::int64_t x = p * line; x < std::min(m_, (p + 1) * line); ++x) {
        if (u_) pack_left(x);
        pack_right(x);
      }
    });
    for (std::int64_t j = k(); j < n_; ++j) sigma_[j] = d_[kept_[j]];
    const PowerOfTwo<T> scale(-exponent_);  // the secular equation is solved for numbers around 1
    for (std::int64_t j = 0; j < k(); ++j) dsigma_[j] = scale * d_[kept_[j]], zhat_[j] = scale * z_[kept_[j]];
    if (k() > 1) dsigma_[1] = std::max(dsigma_[1], scale * tolerance_ / 2);
    norm_ = std::sqrt(sum_of_squares(zhat_, k()));
    for (std::int64_t j = 0; j < k(); ++j) zhat_[j] /= norm_;
  }

  // Vector x of U.
  void pack_left(std::int64_t x) const {
    const std::int64_t lower_rows = n_ - nl_;
    if (x < k()) {
      const std::int64_t c = kept_[x], at = place_[x];
      if (at < upper_) std::copy_n(u(0, c), nl_, u_upper_ + at * nl_);
      if (at >= lefts_) std::copy_n(u(nl_, c), lower_rows, u_lower_ + (at - lefts_) * lower_rows);
    } else if (x < n_) {
      std::copy_n(u(0, kept_[x]), n_, u_rest_ + (x - k()) * n_);
    }
  }
  // Column x of Vᵀ.
  void pack_right(std::int64_t x) const {
    T* to = x <= nl_ ? vt_left_ + x * upper_ : vt_right_ + (x - nl_ - 1) * lower_ - lefts_;
    for (std::int64_t j = 0; j < k(); ++j) {
      const bool lives_here = x <= nl_ ? place_[j] < upper_ : place_[j] >= lefts_;
      if (lives_here) to[place_[j]] = *vt(kept_[j], x);
    }
    T* rest = vt_rest_ + x * (n_ - k());
    for (std::int64_t j = k(); j < n_; ++j) rest[j - k()] = *vt(kept_[j], x);
  }

  // The new singular values.
  bool solve() {
    const PowerOfTwo<T> scale(exponent_);
    if (k() == 1) return sigma_[0] = scale * norm_, true;
    exact_.resize(3 * k());
    std::atomic<bool> fine{true};
    team_.each(parts_of(k(), roots), [&](std::int64_t p) {
      const std::int64_t first = p * roots, end = std::min(k(), first + roots);
      if (!secular_roots(k(), dsigma_, zhat_, norm_, first, end, exact_.data(), exact_.data() + k())) fine = false;
    });
    for (std::int64_t j = 0; j < k(); ++j) sigma_[j] = scale * static_cast<T>(root(j).value());
    return fine;
  }
  Sigma root(std::int64_t j) const { return {exact_[j], exact_[k() + j]}; }
  double* exact_z() { return exact_.data() + 2 * k(); }

  // The z whose roots are exactly the computed ones: the vectors that follow from it are orthogonal.
  void refine_z() {
    if (k() == 1) return;
    team_.each(parts_of(k(), line), [&](std::int64_t p) {
      const std::int64_t from = p * line, to = std::min(k(), from + line);
      double* product = exact_z() + from;
      for (std::int64_t i = from; i < to; ++i) product[i - from] = root(k() - 1).difference(dsigma_[i]);
      for (std::int64_t j = 0; j < k() - 1; ++j) {
        // Root j lies between d_j and d_(j + 1): d_i is paired with the one of them that is not itself.
        const std::int64_t split = std::clamp(j + 1, from, to);
        multiply_ratios(split - from, dsigma_ + from, root(j), dsigma_[j + 1], product);
        multiply_ratios(to - split, dsigma_ + split, root(j), dsigma_[j], product + (split - from));
      }
      for (std::int64_t i = from; i < to; ++i)
        product[i - from] = std::copysign(std::sqrt(std::abs(product[i - from])), static_cast<double>(zhat_[i]));
    });
  }

  // Left vectors of the small matrix into q, right ones into w, their rows where `place_` says.
  void vectors() {
    if (k() == 1) {
      *q_ = std::copysign(T(1), zhat_[0]), *w_ = 1;
      return;
    }
    team_.each(parts_of(k(), roots), [&](std::int64_t p) {
      Vector<double> left(k()), right(k());
      for (std::int64_t j = p * roots; j < std::min(k(), (p + 1) * roots); ++j) {
        quotients(k(), exact_z(), dsigma_, root(j), right.data());
        for (std::int64_t i = 0; i < k(); ++i) left[i] = dsigma_[i] * right[i];
        left[0] = -1;
        place(right, w_ + j * k());
        if (u_) place(left, q_ + j * k());
      }
    });
  }
  void place(Vector<double>& x, T* column) const {
    const double scale = 1 / length(k(), x.data());
    for (std::int64_t i = 0; i < k(); ++i) column[place_[i]] = static_cast<T>(x[i] * scale);
  }

  // U and Vᵀ of the node: those of the children times the vectors of the small matrix; behind them what was deflated.
  void multiply() {
    const std::int64_t nr = n_ - nl_, right = m_ - nl_ - 1;
    if (u_) {
      product('N', nl_, k(), upper_, u_upper_, nl_, q_, k(), u(0, 0), ldu_);
      product('N', nr, k(), lower_, u_lower_, nr, q_ + lefts_, k(), u(nl_, 0), ldu_);
      for (std::int64_t j = k(); j < n_; ++j) std::copy_n(u_rest_ + (j - k()) * n_, n_, u(0, j));
    }
    product('T', k(), nl_ + 1, upper_, w_, k(), vt_left_, upper_, vt(0, 0), ldvt_);
    product('T', k(), right, lower_, w_ + lefts_, k(), vt_right_, lower_, vt(0, nl_ + 1), ldvt_);
    for (std::int64_t x = 0; x < m_; ++x) std::copy_n(vt_rest_ + x * (n_ - k()), n_ - k(), vt(k(), x));
    std::copy_n(sigma_, n_, d_);
  }
  // out = op(a)·b, of rows x cols, in tiles.
  void product(char op, std::int64_t rows, std::int64_t cols, std::int64_t inner, const T* a, std::int64_t lda,
               const T* b, std::int64_t ldb, T* out, std::int64_t ld) const {
    const std::int64_t down = parts_of(rows, tile), across = parts_of(cols, tile);
    team_.each(down * across, [&](std::int64_t p) {
      const std::int64_t r = p % down * tile, nr = std::min(tile, rows - r);
      const std::int64_t c = p / down * tile, nc = std::min(tile, cols - c);
      T* to = out + r + c * ld;
      if (inner > 0) {
        lapack::gemm(op, 'N', nr, nc, inner, T(1), op == 'N' ? a + r : a + r * lda, lda, b + c * ldb, ldb, T(0), to,
                     ld);
      } else {
        for (std::int64_t x = 0; x < nc; ++x) std::fill_n(to + x * ld, nr, T(0));
      }
    });
  }

  void sort() {
    std::iota(sorted_, sorted_ + n_, std::int64_t{0});
    std::merge(sorted_, sorted_ + k(), sorted_ + k(), sorted_ + n_, order_,
               [&](std::int64_t x, std::int64_t y) { return d_[x] < d_[y]; });
  }

  Team& team_;
  const std::int64_t n_, m_, nl_;
  const bool has_extra_;
  T *d_, *u_, *vt_;
  const std::int64_t ldu_, ldvt_;
  std::int64_t* order_;
  const T alpha_, beta_;
  T *z_, *dsigma_, *zhat_, *sigma_, *space_;
  std::int64_t *sorted_, *kept_, *place_, *half_;
  T tolerance_ = 0, norm_ = 0;
  int exponent_ = 0;
  std::int64_t count_ = 0, lefts_ = 0, boths_ = 0, rights_ = 0, upper_ = 0, lower_ = 0;
  T *u_upper_ = nullptr, *u_lower_ = nullptr, *vt_left_ = nullptr, *vt_right_ = nullptr, *u_rest_ = nullptr,
    *vt_rest_ = nullptr, *q_ = nullptr, *w_ = nullptr;
  Vector<double> exact_;  // k() elements each: origins and offsets of the roots, and the refined z
};

}  // namespace

template <class T>
lapack_int merge(Team& team, const BidiagonalSvd<T>& b, const Node& node) {
  return Merge<T>(team, b, node).run();
}

template lapack_int merge(Team&, const BidiagonalSvd<float>&, const Node&);
template lapack_int merge(Team&, const BidiagonalSvd<double>&, const Node&);

}  // namespace fsvd
