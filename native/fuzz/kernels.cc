// The kernels behind their checked interface, for libFuzzer: arguments that fit, or of which any may be wrong. What does
// not fit is refused; nothing is read outside an array or written outside the items of an output, whatever the elements
// are, and nothing hangs.
#include "binding/kernels.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "core/base/workspace.h"
#include "core/threads/blas_threads.h"
#include "fuzz/layout.h"

using namespace fsvd;
using fsvd::fuzz::Layout;
using fsvd::fuzz::Order;

namespace {

// Choices from the bytes that libFuzzer mutates; 0, the usual choice, when there are no more.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), end_(data + size) {}

  int next() { return data_ == end_ ? 0 : *data_++; }
  int up_to(int n) { return next() % (n + 1); }

 private:
  const std::uint8_t *data_, *end_;
};

struct Value {
  enum Kind { missing, array } kind = missing;
  ElementType type = ElementType::other;
  std::unique_ptr<char[]> memory;  // of exactly the length, so that a step outside is seen
  std::int64_t length = 0;
  std::vector<char> before;    // of a batch
  std::vector<bool> writable;  // its elements
};

constexpr std::int64_t exact_integers = std::int64_t{1} << 53;

template <class T>
constexpr ElementType type_of() {
  return std::is_same_v<T, float>           ? ElementType::float32
         : std::is_same_v<T, double>        ? ElementType::float64
         : std::is_same_v<T, std::uint16_t> ? ElementType::uint16
                                            : ElementType::int32;
}

// The arguments of one call. Each is what the kernel expects, unless a choice makes it wrong.
class Call final : public ArgumentSource {
 public:
  explicit Call(Choices& choices) : choices_(choices), bits_(choices.next()) {}

  bool is_missing(std::size_t i) const override { return i >= values_.size() || values_[i].kind == Value::missing; }
  bool get(std::size_t i, TypedArray& out) const override {
    if (i >= values_.size() || values_[i].kind != Value::array) return false;
    out = {values_[i].type, values_[i].memory.get(), values_[i].length};
    return true;
  }
  bool number(std::size_t i, double& out) const override {
    if (i >= numbers_.size()) return false;
    out = numbers_[i];
    return true;
  }

  void number(double x) {
    constexpr double wrong[] = {
        -1, 0.5, 2147483648.0, 9007199254740992.0, 1e300, std::numeric_limits<double>::quiet_NaN(), 0.0,
        1,  3,   4294967296.0};
    if (spoils()) x = choices_.up_to(1) ? wrong[choices_.up_to(9)] : x + choices_.up_to(2) - 1;
    numbers_.push_back(x);
  }
  void missing() { add({}); }

  // Of any elements, also those that are not finite.
  template <class T>
  void array(std::int64_t n) {
    elements<T>(n, [&, kind = choices_.up_to(6)](std::int64_t) { return element<T>(kind); });
  }
  void perm(std::int64_t count, std::int64_t k) {
    elements<std::int32_t>(
        count * k, [&](std::int64_t i) { return static_cast<std::int32_t>(k - 1 - i % std::max<std::int64_t>(k, 1)); });
  }
  void exponents(std::int64_t n) {
    const int range = choices_.up_to(2) * 600;
    elements<std::int32_t>(n,
                           [&](std::int64_t) { return static_cast<std::int32_t>(bits_() % (2 * range + 1)) - range; });
  }
  void gauge(std::int64_t count, std::int64_t k, bool required = false) {
    const bool given = required || choices_.up_to(1);
    if (given) perm(count, k), exponents(count * k);
    else missing(), missing();
  }
  template <class T>
  void batch(std::int64_t rows, std::int64_t cols, std::int64_t count) {
    matrices<T>(rows, cols, count, Order::input);
  }
  template <class T>
  void output(std::int64_t rows, std::int64_t cols, std::int64_t count, Order order = Order::contiguous) {
    matrices<T>(rows, cols, count, order);
  }
  // Matrices to read that a kernel expects contiguous.
  template <class T>
  void contiguous(std::int64_t rows, std::int64_t cols, std::int64_t count) {
    matrices<T>(rows, cols, count, Order::contiguous_input);
  }
  void missing_batch() {
    missing(), missing();
    for (int i = 0; i < 7; ++i) number(0);
  }
  void statuses(std::int64_t count) {
    status_ = values_.size();
    elements<double>(3 * count, [](std::int64_t) { return 0.0; });
    Value& v = values_[status_];  // 0 in any case: a kernel may leave what says that nothing is wrong
    if (v.kind == Value::array)
      std::fill_n(v.memory.get(), v.length * static_cast<std::int64_t>(sizeof(double)), char{0});
  }

  bool spoilt() const { return spoilt_; }

  // After the kernel: inputs, and what lies between the items of outputs, are as they were.
  void check_untouched() const {
    for (const Value& v : values_) {
      const std::size_t size = v.before.empty() ? 0 : v.before.size() / v.length;
      for (std::int64_t i = 0; i < v.length && size > 0; ++i)
        if (!v.writable[i] && std::memcmp(v.memory.get() + i * size, v.before.data() + i * size, size) != 0)
          std::fputs("the kernel writes elsewhere\n", stderr), std::abort();
    }
  }

  // Each item has a status that a caller can tell.
  void check_statuses() const {
    if (status_ == 0 || values_[status_].kind != Value::array) return;
    for (std::int64_t i = 0; 3 * i < values_[status_].length; ++i) {
      double code = 0;
      std::memcpy(&code, values_[status_].memory.get() + 3 * i * sizeof(double), sizeof code);
      if (!(code >= Status::ok && code <= Status::too_large))
        std::fputs("LAPACK refused its arguments\n", stderr), std::abort();
    }
  }

 private:
  template <class T>
  void matrices(std::int64_t rows, std::int64_t cols, std::int64_t count, Order order) {
    Layout at(rows, cols, count, order, [&](std::int64_t n) { return choices_.up_to(static_cast<int>(n)); });
    std::vector<bool> writable(at.length);
    if (!fuzz::is_input(order)) at.each([&](std::int64_t element) { writable[element] = true; });
    // What nothing steps along, and where nothing lies, does not matter.
    const bool any = order == Order::input, odd = choices_.up_to(3) == 3;
    if (odd && rows == 1 && (any || at.col_stride == 1)) at.row_stride = choices_.up_to(9) - 4;
    else if (odd && cols == 1 && (any || at.row_stride == 1) && order != Order::rows)
      at.col_stride = choices_.up_to(9) - 4;
    if (rows * cols * count == 0 && choices_.up_to(3) == 3) {
      at.row_stride = -exact_integers, at.col_stride = at.first = at.step = exact_integers;
      at.offsets.assign(count, 1e300);
    }
    if (spoils()) spoil(at);
    const std::size_t first = values_.size();
    array<T>(at.length);
    if (Value& data = values_[first]; data.kind == Value::array && data.length == at.length) {
      data.writable = writable;
      data.before.assign(data.memory.get(), data.memory.get() + at.length * static_cast<std::int64_t>(sizeof(T)));
    }
    for (const std::int64_t x : {at.count, at.rows, at.cols, at.row_stride, at.col_stride, at.first, at.step})
      number(static_cast<double>(x));
    at.offsets.push_back(0);  // one too many, which may be asked for
    if (at.listed) elements<double>(count, [&](std::int64_t i) { return at.offsets[i]; });
    else missing();
  }

  // Items over each other or outside the memory, another number of them, another shape, another order.
  void spoil(Layout& at) {
    const std::int64_t by = 1 + choices_.up_to(3);
    switch (choices_.up_to(9)) {
      case 0: at.step -= by; break;
      case 1: at.first += by; break;
      case 2: at.first -= by; break;
      case 3: ++at.count, at.offsets.push_back(0); break;
      case 4: --at.count; break;
      case 5: std::swap(at.rows, at.cols); break;
      case 6: ++(by % 2 ? at.rows : at.cols); break;
      case 7: std::swap(at.row_stride, at.col_stride); break;
      case 8: (by % 2 ? at.row_stride : at.col_stride) += by - 3; break;
      default:
        if (at.count > 0) at.offsets[choices_.up_to(static_cast<int>(at.count - 1))] += static_cast<double>(by) - 2.5;
    }
  }

  bool spoils() {
    if (choices_.next() < 232) return false;
    return spoilt_ = true;
  }

  template <class T, class F>
  void elements(std::int64_t n, const F& of) {
    Value v;
    v.kind = Value::array, v.type = type_of<T>(), v.length = n;
    const int wrong = spoils() ? 1 + choices_.up_to(6) : 0;
    if (wrong == 1) ++v.length;
    if (wrong == 2) v.length = std::max<std::int64_t>(0, n - 1);
    if (wrong == 3) v.length = 0;
    if (wrong == 4) v.type = static_cast<ElementType>(choices_.up_to(4));
    if (wrong == 5) v.type = ElementType::other;
    if (wrong == 6) return missing();
    v.memory.reset(new char[static_cast<std::size_t>(v.length) * sizeof(T)]);
    for (std::int64_t i = 0; i < v.length; ++i) put(v, i, of(i));
    if (wrong == 7 && v.length > 0) {  // one element
      const std::int64_t x = choices_.next() - 128;
      put(v, choices_.next() % v.length, static_cast<T>(choices_.up_to(1) ? x : x * 10'000'000));
    }
    if (v.type != type_of<T>()) v.length = v.length * static_cast<std::int64_t>(sizeof(T)) / 8;
    add(std::move(v));
  }

  template <class T>
  static void put(Value& v, std::int64_t i, T x) {
    std::memcpy(v.memory.get() + i * static_cast<std::int64_t>(sizeof(T)), &x, sizeof x);
  }

  template <class T>
  T element(int kind) {
    if constexpr (std::is_unsigned_v<T>) return static_cast<T>(bits_());  // 16-bit floats
    const double x = static_cast<double>(bits_() >> 1) / 2147483648.0 - 0.5;
    if constexpr (std::is_integral_v<T>) return static_cast<T>(x * (kind == 1 ? 4e9 : 40));
    else {
      using limits = std::numeric_limits<T>;
      switch (kind) {
        case 1: return static_cast<T>(x) * limits::max();
        case 2: return static_cast<T>(x) * limits::denorm_min() * 100;
        case 3: return std::ldexp(static_cast<T>(x), static_cast<int>(bits_() % 200) - 100);
        case 4: return static_cast<T>(bits_() % 2);
        case 5: return bits_() % 8 ? static_cast<T>(x) : bits_() % 2 ? limits::quiet_NaN() : limits::infinity();
        case 6: return 1;
        default: return static_cast<T>(x);
      }
    }
  }

  void add(Value v) { values_.push_back(std::move(v)); }

  Choices& choices_;
  std::minstd_rand bits_;
  std::vector<Value> values_;
  std::vector<double> numbers_;
  std::size_t status_ = 0;
  bool spoilt_ = false;
};

struct Sizes {
  std::int64_t m, n, k, p, count, blocks;  // blocks of rows, for Gram matrices
};

// The fields of each kernel, as kernels.cc reads them.
template <class T>
void describe(const std::string& kernel, const Sizes& s, Choices& choices, Call& call) {
  const auto [m, n, k, p, count, blocks] = s;
  const auto flag = [&] { return choices.up_to(1); };
  const std::int64_t r = std::min(m, n), tall = m + k, below = blocks * k;
  if (kernel == "svdLadder") {
    const int vectors = choices.up_to(m < 2000 ? 2 : 1);  // all of that many take too long
    const bool none = vectors == 0, full = vectors == 2;
    call.batch<T>(m, n, count), call.number(vectors);
    call.number(flag() ? -1 : choices.up_to(3));  // the ladder, or one of its routines
    if (flag()) call.exponents(count * n);
    else call.missing();
    call.output<T>(none ? 0 : m, none ? 0 : full ? m : r, count), call.output<T>(1, r, count);
    call.output<T>(none ? 0 : full ? n : r, none ? 0 : n, count), call.statuses(count);
  } else if (kernel == "scaledCore") {
    const std::int64_t inner = k + n;
    call.batch<double>(m, inner, count), call.batch<double>(k, inner, count);
    call.exponents(count * inner), call.array<double>(count * m * k), call.exponents(count * k);
  } else if (kernel == "qr") {
    call.batch<double>(m, n, count), call.array<double>(count * m * n), call.array<double>(count * r * r);
    call.array<double>(count * r * n), call.statuses(count);
  } else if (kernel == "applyQ") {
    call.batch<double>(r, p, count), call.number(static_cast<double>(m)), call.number(static_cast<double>(n));
    call.array<double>(count * m * n), call.array<double>(count * r * r), call.array<double>(count * m * p);
    call.statuses(count);
  } else if (kernel == "gram") {
    call.batch<T>(tall, k, count), call.gauge(count, k);
    if (flag()) call.contiguous<T>(k, k, count);
    else call.missing_batch();
    call.output<double>(below, k, count);
  } else if (kernel == "cholesky" || kernel == "choleskyAgain") {
    if (kernel == "cholesky") call.output<T>(k, k, count);
    else call.contiguous<T>(k, k, count);
    call.contiguous<double>(below, k, count), call.gauge(count, k, true), call.exponents(count * k);
    call.output<double>(k, k, count), call.output<double>(k, k, count), call.statuses(count);
  } else if (kernel == "gramSvd") {
    const std::int64_t columns = k + 1, vectors = std::min(p, columns);
    const bool values_only = flag();
    for (const bool left : {true, false}) {
      call.contiguous<double>(blocks * columns, columns, count), call.gauge(count, columns, true);
      if (values_only) call.missing_batch();
      else call.output<float>(left ? columns : vectors, left ? vectors : columns, count);
    }
    call.array<double>(count * columns), call.statuses(count);
  } else if (kernel == "solveRoot") {
    call.batch<T>(k, p, count);
    if (flag()) call.output<float>(k, p, count, Order::output);
    else call.output<T>(k, p, count, Order::output);
    call.gauge(count, k), call.contiguous<double>(k, k, count);
  } else if (kernel == "multiplySolved") {
    call.batch<T>(tall, k, count), call.gauge(count, k), call.contiguous<T>(k, k, count);
    call.contiguous<T>(k, p, count);
    call.number(static_cast<double>(std::clamp<std::int64_t>(tall, 1, blocks)));
    call.output<T>(tall, p, count, Order::output);
  } else if (kernel == "gemm") {
    call.batch<T>(m, k, count), call.batch<T>(k, n, count), call.number(flag() ? 1 : -3), call.number(flag());
    call.output<T>(m, n, count, Order::rows), call.statuses(count);
  } else if (kernel == "outer") {
    call.batch<T>(m, n, count), call.output<double>(m, m, count);
  } else if (kernel == "definite") {
    call.output<double>(k, k, count), call.statuses(count);
  } else if (kernel == "geev") {
    call.batch<T>(n, n, count), call.array<T>(count * n), call.array<T>(count * n), call.statuses(count);
  } else if (kernel == "scan") {
    call.batch<T>(m, n, count), call.array<double>(count * n), call.array<std::int32_t>(count * n),
        call.statuses(count);
  } else if (kernel == "pack") {
    if (flag()) call.number(2 + flag()), call.batch<std::uint16_t>(m, n, count);
    else call.number(std::is_same_v<T, double>), call.batch<T>(m, n, count);
    if (flag()) call.output<float>(m, n, count, Order::output);
    else call.output<double>(m, n, count, Order::output);
    call.gauge(count, n), call.number(flag() ? 1 : -1), call.number(flag());
  } else if (kernel == "copy") {
    if (flag()) call.batch<std::uint16_t>(m, n, count), call.output<std::uint16_t>(m, n, count, Order::output);
    else call.batch<T>(m, n, count), call.output<T>(m, n, count, Order::output);
  } else {
    std::fprintf(stderr, "the kernel %s is not described here\n", kernel.c_str()), std::abort();
  }
}

}  // namespace

// In the place of the silent one: BLAS has no other way to say that it did nothing.
extern "C" void xerbla_(const char* routine, const std::int32_t* argument, std::size_t length) {
  std::fprintf(stderr, "argument %d of %.*s is illegal\n", *argument, static_cast<int>(length), routine), std::abort();
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  blas::initialise();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(data, size);
  const std::vector<Kernel>& table = kernel_table();
  const Kernel& kernel = table[static_cast<std::size_t>(choices.next()) % table.size()];
  const bool narrow = choices.up_to(1);
  const auto dimension = [&](int most) -> std::int64_t { return choices.up_to(most); };
  Sizes s{dimension(40), dimension(40), dimension(20), dimension(20), dimension(3), 1 + dimension(7)};
  if (choices.next() > 250) s.m += 2000;  // several blocks of rows
  Call call(choices);
  if (narrow) describe<float>(kernel.name, s, choices, call);
  else describe<double>(kernel.name, s, choices, call);
  try {
    Arguments arguments(call);
    const Work work = kernel.build(arguments);
    if (work.flops > 1e8 || work.units > 10000) return 0;
    for (std::int64_t unit = 0; unit < work.units; ++unit) work.run(unit);
  } catch (const WrongArgument& error) {
    if (!call.spoilt())
      std::fprintf(stderr, "%s refuses right arguments: %s\n", kernel.name, error.what()), std::abort();
    return 0;
  } catch (const OutOfMemory&) {  // of sizes that only views with strides of 0 have
    return 0;
  }
  if (!call.spoilt()) call.check_untouched();
  call.check_statuses();
  return 0;
}
