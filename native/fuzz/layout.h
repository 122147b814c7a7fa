// How a batch lies in memory, of all the ways in which it can.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/base/batch.h"

namespace fsvd::fuzz {

// What a kernel asks of a batch: of one that it reads nothing, or contiguous items; of one that it writes rows or columns
// one behind the other, or rows, or contiguous items.
enum class Order { input, contiguous_input, output, rows, contiguous };

inline bool is_input(Order order) { return order <= Order::contiguous_input; }

struct Layout {
  std::int64_t rows, cols, count;
  std::int64_t row_stride = 0, col_stride = 0, first = 0, step = 0;
  bool listed = false;          // whether the offsets count
  std::vector<double> offsets;  // one for each item
  std::int64_t length = 0;      // of the memory

  // `choose(n)` gives one of 0 ... n, 0 for what is usual.
  template <class Choose>
  Layout(std::int64_t rows, std::int64_t cols, std::int64_t count, Order order, const Choose& choose)
      : rows(rows), cols(cols), count(count) {
    arrange(order, choose);
    const bool empty = rows == 0 || cols == 0 || count == 0;
    if (empty) row_stride = cols, col_stride = 1;  // as Arguments leaves them
    const std::int64_t y = (rows - 1) * row_stride, x = (cols - 1) * col_stride, none = 0;
    const std::int64_t lowest = empty ? 0 : std::min(y, none) + std::min(x, none);
    place(order, empty ? 0 : std::max(y, none) + std::max(x, none) - lowest + 1, choose);
    first -= lowest;
    for (double& offset : offsets) offset -= static_cast<double>(lowest);
  }

  template <class T>
  Batch<T> of(T* data) const {
    return {data, rows, cols, row_stride, col_stride, count, first, step, listed ? offsets.data() : nullptr};
  }

  // Where every element of every item lies, row by row.
  template <class F>
  void each(const F& f) const {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c) f(offset(i) + r * row_stride + c * col_stride);
  }

  std::int64_t offset(std::int64_t i) const {
    return listed ? static_cast<std::int64_t>(offsets[i]) : first + i * step;
  }

 private:
  template <class Choose>
  void arrange(Order order, const Choose& choose) {
    const bool contiguous = order == Order::contiguous || order == Order::contiguous_input;
    const bool by_columns = !contiguous && order != Order::rows && choose(1);
    const std::int64_t gap = contiguous ? 0 : choose(2);
    row_stride = by_columns ? 1 : cols + gap, col_stride = by_columns ? rows + gap : 1;
    if (order != Order::input) return;
    switch (choose(7)) {
      case 1: row_stride = 0; break;
      case 2: row_stride = -row_stride; break;
      case 3: col_stride = -col_stride; break;
      case 4: row_stride = -row_stride, col_stride = -col_stride; break;
      default: break;
    }
  }

  template <class Choose>
  void place(Order order, std::int64_t reach, const Choose& choose) {
    const std::int64_t how = choose(is_input(order) ? 5 : 2), before = choose(2);
    listed = how == 1 || how == 3;
    step = reach + (how == 2 ? 1 + choose(2) : 0);
    first = before;
    length = before + (count > 0 ? (count - 1) * step + reach : 0);
    if (how == 4) step = 0;
    if (how == 5 && count > 0) first += (count - 1) * step, step = -step;
    for (std::int64_t i = 0, more = 0; i < count; ++i) {
      if (how == 1) length += more += choose(2);  // uneven
      offsets.push_back(
          static_cast<double>(how == 3 ? first + choose(static_cast<int>(count - 1)) * step : first + i * step + more));
    }
  }
};

}  // namespace fsvd::fuzz
