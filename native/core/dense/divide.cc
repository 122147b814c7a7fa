#include "divide.h"

#include <algorithm>
#include <atomic>

#include "bidiagonal_qr.h"
#include "core/base/arithmetic.h"
#include "core/base/copy.h"
#include "core/base/memory.h"
#include "core/threads/task.h"
#include "merge.h"

namespace fsvd {
namespace {

constexpr std::int64_t leaf = 8;      // up to here by implicit QR
constexpr std::int64_t shared = 128;  // merges of this size are cut into parts, smaller ones are parts themselves
constexpr std::int64_t line = 64;     // columns that one thread copies at a time

struct Tree {
  Vector<Node> leaves;
  Vector<Vector<Node>> merges;  // of every depth, the root first

  explicit Tree(std::int64_t n) { add({0, n, 0}, 0); }

  void add(const Node& node, std::size_t depth) {
    if (node.n <= leaf) return leaves.push_back(node);
    if (depth == merges.size()) merges.emplace_back();
    merges[depth].push_back(node);
    add({node.first, node.left(), 1}, depth + 1);
    add({node.middle() + 1, node.right(), node.extra}, depth + 1);
  }
};

template <class T>
lapack_int solve_leaf(const BidiagonalSvd<T>& b, const Node& node) {
  const std::int64_t n = node.n, m = node.cols(), one = 1;
  double d[leaf], e[leaf + 1], u[leaf * leaf] = {}, v[(leaf + 1) * (leaf + 1)] = {},
                                        work[BidiagonalQr::work_size(leaf)];
  std::copy_n(b.d + node.first, n, d), std::copy_n(b.e + node.first, m - 1, e);
  for (std::int64_t j = 0; j < n; ++j) u[j * (n + 1)] = 1;
  for (std::int64_t j = 0; j < m; ++j) v[j * (m + 1)] = 1;
  if (!BidiagonalQr{n, node.extra, d, e, b.u ? u : nullptr, v, n, m, work}.run()) return 1;
  copy(d, one, one, b.d + node.first, one, one, n, one);
  if (b.u) copy(u, one, n, b.u + node.first * (b.ldu + 1), one, b.ldu, n, n);
  copy(v, m, one, b.vt + node.first * (b.ldvt + 1), one, b.ldvt, m, m);
  for (std::int64_t j = 0; j < n; ++j) b.index[node.first + j] = n - 1 - j;
  return 0;
}

// Descending, in d, u and vt.
template <class T>
void reverse_order(Team& team, const BidiagonalSvd<T>& b) {
  const std::int64_t n = b.n;
  T *u = b.work, *vt = u + n * n, *d = vt + n * n;
  const auto columns = [&](const auto& each) {
    team.each(parts_of(n, line), [&](std::int64_t p) {
      for (std::int64_t c = p * line; c < std::min(n, (p + 1) * line); ++c) each(c);
    });
  };
  columns([&](std::int64_t c) {
    const std::int64_t from = b.index[n - 1 - c];
    d[c] = b.d[from];
    if (b.u) std::copy_n(b.u + from * b.ldu, n, u + c * n);
    for (std::int64_t r = 0; r < n; ++r) vt[r + c * n] = b.vt[b.index[n - 1 - r] + c * b.ldvt];
  });
  columns([&](std::int64_t c) {
    b.d[c] = d[c];
    if (b.u) std::copy_n(u + c * n, n, b.u + c * b.ldu);
    std::copy_n(vt + c * n, n, b.vt + c * b.ldvt);
  });
}

}  // namespace

template <class T>
std::int64_t BidiagonalSvd<T>::work_size(std::int64_t n) {
  return merge_work(n);
}

template <class T>
std::int64_t BidiagonalSvd<T>::index_size(std::int64_t n) {
  return n + merge_index(n);
}

template <class T>
lapack_int BidiagonalSvd<T>::run(Team& team) const {
  std::atomic<lapack_int> info{0};
  const auto each = [&](const Vector<Node>& nodes, const auto& solve) {
    team.each(static_cast<std::int64_t>(nodes.size()), [&](std::int64_t i) {
      if (const lapack_int failed = solve(nodes[static_cast<std::size_t>(i)])) info = failed;
    });
  };
  const Tree tree(n);
  double merged = 0;  // cubes of the sizes of the nodes; two halves have a quarter of the whole
  const auto cube = [](std::int64_t size) {
    const auto x = static_cast<double>(size);
    return x * x * x;
  };
  each(tree.leaves, [&](const Node& node) { return solve_leaf(*this, node); });
  for (auto nodes = tree.merges.rbegin(); nodes != tree.merges.rend() && info == 0; ++nodes) {
    if (nodes->front().n < shared) {
      each(*nodes, [&](const Node& node) {
        Team alone(true);
        return merge(alone, *this, node);
      });
    } else {
      for (const Node& node : *nodes) {
        if (const lapack_int failed = merge(team, *this, node)) info = failed;
        merged += cube(node.n);
        advance(merged / (4.0 / 3 * cube(n)));
      }
    }
  }
  if (info == 0) reverse_order(team, *this);
  return info;
}

template struct BidiagonalSvd<float>;
template struct BidiagonalSvd<double>;

}  // namespace fsvd
