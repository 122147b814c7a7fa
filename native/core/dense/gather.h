// One matrix of a batch as a copy that is checked.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/base/batch.h"
#include "core/base/copy.h"
#include "core/threads/task.h"

namespace fsvd {

// Copies item `i` row-major and contiguous, and checks it: false, with the status set, when an element is not finite.
template <class T>
bool gather_finite(const Batch<const T>& a, std::int64_t i, T* dst, Status& status) {
  const std::int64_t some = std::max<std::int64_t>(32, (1 << 22) / std::max<std::int64_t>(a.cols, 1));
  for (std::int64_t r = 0; r < a.rows; r += some, look_up())
    copy(a.item(i) + r * a.row_stride, a.row_stride, a.col_stride, dst + r * a.cols, a.cols, std::int64_t{1},
         std::min(some, a.rows - r), a.cols);
  if (all_finite(dst, a.size())) return true;
  const T* bad = std::find_if(dst, dst + a.size(), [](T x) { return !std::isfinite(x); });
  status.set(Status::non_finite, static_cast<double>(bad - dst));
  return false;
}

}  // namespace fsvd
