// Copies of each item of a batch: as it is, or with a gauge and a factor.
#pragma once
#include <cstdint>

#include "core/base/batch.h"
#include "core/base/copy.h"
#include "core/base/half.h"
#include "gauge.h"

namespace fsvd {

// The same elements with their bits.
template <class T>
struct Copy {
  Batch<const T> a;
  Batch<T> out;

  void operator()(std::int64_t i) const {
    copy(a.item(i), a.row_stride, a.col_stride, out.item(i), out.row_stride, out.col_stride, a.rows, a.cols);
  }
};

// Item i of `out` = (accumulate ? out : 0) + alpha * (a with its gauge), computed in the wider of both types; one of 16
// bits is widened first.
template <class In, class Out>
struct Pack {
  Batch<const In> a;
  Gauge gauge;
  double alpha = 1;
  bool accumulate = false;
  Batch<Out> out;

  std::int64_t blocks() const;  // of one item: of rows, or of columns where those of out lie one behind the other
  void operator()(std::int64_t unit) const;
};

}  // namespace fsvd
