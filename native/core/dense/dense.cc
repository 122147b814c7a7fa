#include "dense.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <type_traits>

#include "blocked.h"
#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/workspace.h"
#include "core/threads/task.h"
#include "core/threads/team.h"
#include "narrow.h"
#include "tsqr.h"

namespace fsvd {
namespace {

constexpr std::int64_t one = 1;

template <class Real>
Real largest_of(const Real* x, std::int64_t n) {
  constexpr int lanes = 16;
  Real lane[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int l = 0; l < lanes; ++l) lane[l] = std::max(lane[l], std::abs(x[i + l]));
  for (; i < n; ++i) lane[0] = std::max(lane[0], std::abs(x[i]));
  return *std::max_element(lane, lane + lanes);
}

// X = left·diag(s)·rightᵀ, the tall one of a and its transpose.
template <class T, class Real>
class TallSvd {
 public:
  explicit TallSvd(const DenseSvd<T>& job)
      : job_(job), tall_(job.a.rows >= job.a.cols), rows_(std::max(job.a.rows, job.a.cols)),
        cols_(std::min(job.a.rows, job.a.cols)), vectors_(job.u != nullptr), team_(rows_ * cols_ < least_shared) {}

  lapack_int run() {
    Core core(very_tall() ? cols_ : rows_, cols_, vectors_);
    std::optional<Tsqr<Real>> qr;
    if (very_tall()) qr.emplace(rows_, cols_, team_.size());
    const std::int64_t qr_size = qr ? qr->size() : 0, q_size = qr && vectors_ && !left_rows() ? rows_ * cols_ : 0;
    Workspace ws(core.bytes() + Workspace::bytes_for<Real>(qr_size) + Workspace::bytes_for<Real>(q_size));
    core.take(ws);
    const Shares until(qr ? rows_ : 0, cols_, vectors_);
    int exponent = 0;
    if (qr) {  // 1 and 2
      const Stage reducing(0, until.qr);
      Real* const memory = ws.template take<Real>(qr_size);
      exponent = reduce_rows(*qr, memory, q_size > 0 ? ws.template take<Real>(q_size) : left_rows(), core);
    } else exponent = load(0, rows_, core.a);  // 1
    if (!finite_) {
      find_culprit();
      return 0;
    }
    lapack_int info = 0;
    {  // 3 to 5
      const Stage decomposing(until.qr, until.core);
      info = core.run(team_);
    }
    if (info != 0) return info;
    const Stage giving(until.core, 1);
    give(core, exponent, qr ? &*qr : nullptr);  // 6
    return 0;
  }

 private:
  static constexpr std::int64_t least_shared = 160 * 160;       // below, a second thread would cost more than it brings
  static constexpr std::int64_t least_tall = 64;                // below, so would a QR decomposition
  static constexpr bool narrow = std::is_same_v<Real, double>;  // may be

  // When steps 1 and 2, and then 3 to 5, have been done, as a share of the time that all take; without rows there is no QR
  // decomposition.
  struct Shares {
    double qr, core;

    Shares(std::int64_t rows, std::int64_t cols, bool vectors) {
      const double reduce = 2 * static_cast<double>(rows), decompose = (vectors ? 15 : 8) * static_cast<double>(cols);
      const double all = reduce + decompose + (vectors ? 2 * reduce : 0);
      qr = reduce / all, core = (reduce + decompose) / all;
    }
  };

  // 3 to 5. The SVD of a (rows x cols without gaps), no longer much taller than wide.
  struct Core {
    std::int64_t rows, cols;
    bool vectors, small;
    Real *a = nullptr, *s = nullptr, *left = nullptr, *right = nullptr, *work = nullptr;
    std::int64_t* index = nullptr;

    Core(std::int64_t rows, std::int64_t cols, bool vectors)
        : rows(rows), cols(cols), vectors(vectors), small(narrow && cols <= narrow_cols) {}

    std::int64_t work_size() const {
      return small ? NarrowSvd{rows, cols}.work_size() : BlockedSvd<Real>{rows, cols}.work_size(vectors);
    }
    std::int64_t index_size() const { return small ? 0 : BlockedSvd<Real>{rows, cols}.index_size(); }
    std::int64_t bytes() const {
      using W = Workspace;
      return W::bytes_for<Real>(rows * cols) * (vectors ? 2 : 1) + W::bytes_for<Real>(cols * cols) +
             W::bytes_for<Real>(cols) + W::bytes_for<Real>(work_size()) + W::bytes_for<std::int64_t>(index_size());
    }
    void take(Workspace& ws) {
      a = ws.take<Real>(rows * cols), s = ws.take<Real>(cols);
      if (vectors) left = ws.take<Real>(rows * cols), right = ws.take<Real>(cols * cols);
      work = ws.take<Real>(work_size()), index = ws.take<std::int64_t>(index_size());
    }
    lapack_int run(Team& team) const {
      if constexpr (narrow) {
        if (small) return NarrowSvd{rows, cols, a, s, left, right, work}.run() ? 0 : 1;
      }
      return BlockedSvd<Real>{rows, cols, a, s, left, right, work, index}.run(team);
    }
  };

  bool very_tall() const { return 2 * rows_ >= 3 * cols_ && rows_ > least_tall; }

  // 1. Rows first … of X into x, divided by a power of two where squares might not be representable: its exponent. Of what
  //    is not finite nothing is done but to take note.
  int load(std::int64_t first, std::int64_t count, Real* x) {
    const std::int64_t next_row = tall_ ? job_.a.row_stride : job_.a.col_stride;
    const std::int64_t next_col = tall_ ? job_.a.col_stride : job_.a.row_stride, size = count * cols_;
    copy(job_.a.item(job_.item) + first * next_row, next_row, next_col, x, one, count, count, cols_);
    if (!all_finite(x, size)) {
      finite_ = false;
      std::fill_n(x, size, Real(0));
      return 0;
    }
    if (sizeof(T) < sizeof(Real)) return 0;
    int exponent = 0;
    std::frexp(largest_of(x, size), &exponent);
    if (narrow && std::abs(exponent) < 100) return 0;
    const PowerOfTwo<Real> scale(-exponent);
    std::transform(x, x + size, x, [&](Real y) { return scale * y; });
    return exponent;
  }

  // 2. X = Q·R: R is decomposed in its place.
  int reduce_rows(Tsqr<Real>& qr, Real* memory, Real* q, const Core& core) {
    const auto load_rows = [&](std::int64_t first, std::int64_t count, Real* x) { return load(first, count, x); };
    return qr.factor(team_, load_rows, memory, q, core.a);
  }

  // Where Q is kept until the left vectors take its place, block by block: their own memory, if blocks of them lie one
  // behind the other there.
  Real* left_rows() const {
    if constexpr (std::is_same_v<T, Real>) return tall_ ? job_.u : nullptr;
    else return nullptr;
  }

  // 6. S, and the vectors of X into U and Vh.
  void give(const Core& core, int exponent, const Tsqr<Real>* qr) {
    give_values(core, exponent);
    if (!vectors_) return;
    give_right(core);
    if (!qr) return give_left(0, rows_, core.left);
    qr->apply(team_, core.left,
              [&](std::int64_t first, std::int64_t count, const Real* x) { give_left(first, count, x); });
  }

  void give_values(const Core& core, int exponent) const {
    std::transform(core.s, core.s + cols_, job_.s, [=](Real s) { return static_cast<T>(std::ldexp(s, exponent)); });
  }
  // Rows first … of the left vectors, into U or the transpose Vh.
  void give_left(std::int64_t first, std::int64_t count, const Real* x) const {
    if (tall_) copy(x, one, count, job_.u + first * cols_, cols_, one, count, cols_);
    else copy(x, one, count, job_.vh + first, one, rows_, count, cols_);
  }
  void give_right(const Core& core) const {
    const std::int64_t by_vector = core.small ? cols_ : 1, by_component = core.small ? 1 : cols_;
    if (tall_) copy(core.right, by_vector, by_component, job_.vh, cols_, one, cols_, cols_);
    else copy(core.right, by_vector, by_component, job_.u, one, cols_, cols_, cols_);
  }

  void find_culprit() const {
    const Batch<const T>& a = job_.a;
    const T* x = a.item(job_.item);
    for (std::int64_t r = 0; r < a.rows; ++r)
      for (std::int64_t c = 0; c < a.cols; ++c)
        if (!std::isfinite(x[r * a.row_stride + c * a.col_stride]))
          return job_.status->set(Status::non_finite, static_cast<double>(r * a.cols + c));
  }

  const DenseSvd<T>& job_;
  const bool tall_;
  const std::int64_t rows_, cols_;
  const bool vectors_;
  Team team_;
  std::atomic<bool> finite_{true};
};

}  // namespace

template <class T>
lapack_int DenseSvd<T>::run() const {
  if (std::min(a.rows, a.cols) <= narrow_cols) return TallSvd<T, double>(*this).run();
  return TallSvd<T, T>(*this).run();
}

template struct DenseSvd<float>;
template struct DenseSvd<double>;

}  // namespace fsvd
