// The kernels behind their checked interface, for libFuzzer: arguments that fit, or of which any may be wrong. What does
// not fit is refused; nothing is read or written outside an array, whatever the elements are, and nothing hangs.
#include "kernels.h"

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

#include "core/blas_threads.h"
#include "core/gram.h"
#include "core/workspace.h"

using namespace fsvd;

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
  enum Kind { missing, number, array } kind = missing;
  double x = 0;
  ElementType type = ElementType::other;
  std::unique_ptr<char[]> memory;  // of exactly the length, so that a step outside is seen
  std::int64_t length = 0;
};

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
  bool get(std::size_t i, double& out) const override {
    if (i >= values_.size() || values_[i].kind != Value::number) return false;
    out = values_[i].x;
    return true;
  }

  void number(double x) {
    constexpr double wrong[] = {
        -1, 0.5, 2147483648.0, 9007199254740992.0, 1e300, std::numeric_limits<double>::quiet_NaN(), 0.0,
        1,  3,   4294967296.0};
    if (spoils()) x = choices_.up_to(1) ? wrong[choices_.up_to(9)] : x + choices_.up_to(2) - 1;
    Value v;
    v.kind = Value::number, v.x = x;
    add(std::move(v));
  }
  void missing() { add({}); }

  // Of any elements, also those that are not finite.
  template <class T>
  void array(std::int64_t n) {
    elements<T>(n, [&, kind = choices_.up_to(6)](std::int64_t) { return element<T>(kind); });
  }
  template <class T>
  void array_or_missing(std::int64_t n) {
    if (choices_.up_to(1)) return missing();
    array<T>(n);
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
  // Ascending places in an output of `room` items.
  void positions(std::int64_t count, std::int64_t room) {
    if (room == count && choices_.up_to(1)) return missing();
    elements<std::int32_t>(count, [&](std::int64_t i) { return static_cast<std::int32_t>(room - count + i); });
  }
  // Which of `parts` each item reads.
  void sources(std::int64_t count, std::int64_t parts) {
    if (parts == count && choices_.up_to(1)) return missing();
    elements<std::int32_t>(
        count, [&](std::int64_t i) { return static_cast<std::int32_t>(i % std::max<std::int64_t>(parts, 1)); });
  }
  template <class T>
  void batch(std::int64_t rows, std::int64_t cols, std::int64_t count) {
    const int how = choices_.up_to(5), gap = choices_.up_to(2);
    std::int64_t down = how % 2 ? 1 : cols + gap, across = how % 2 ? rows + gap : 1;
    if (how == 2) down = 0;
    if (how == 3) down = -down;
    if (how == 4) across = -across;
    const bool empty = rows == 0 || cols == 0;
    const std::int64_t y = empty ? 0 : (rows - 1) * down, x = empty ? 0 : (cols - 1) * across;
    const std::int64_t lowest = std::min<std::int64_t>(y, 0) + std::min<std::int64_t>(x, 0);
    const std::int64_t reach = empty ? 0 : std::max<std::int64_t>(y, 0) + std::max<std::int64_t>(x, 0) - lowest + 1;
    array<T>(count * reach);
    elements<double>(2 + count, [&](std::int64_t i) {
      return static_cast<double>(i == 0 ? down : i == 1 ? across : (i - 2) * reach - lowest);
    });
    number(static_cast<double>(rows)), number(static_cast<double>(cols));
  }
  void statuses(std::int64_t count) {
    status_ = values_.size();
    elements<double>(3 * count, [](std::int64_t) { return 0.0; });
    Value& v = values_[status_];  // 0 in any case: a kernel may leave what says that nothing is wrong
    if (v.kind == Value::array)
      std::fill_n(v.memory.get(), v.length * static_cast<std::int64_t>(sizeof(double)), char{0});
  }

  bool spoilt() const { return spoilt_; }

  // After the kernel: each item has a status that a caller can tell.
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
    if (wrong == 5) return number(1);
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
  std::size_t status_ = 0;
  bool spoilt_ = false;
};

struct Sizes {
  std::int64_t m, n, k, p, count, room;  // `room` for items in an output with positions
};

// The arguments of each kernel, as kernels.cc reads them.
template <class T>
void describe(const std::string& kernel, const Sizes& s, Choices& choices, Call& call) {
  const auto [m, n, k, p, count, room] = s;
  const auto flag = [&] { return choices.up_to(1); };
  const std::int64_t r = std::min(m, n), tall = m + k;
  if (kernel == "gesdd") {
    const int vectors = choices.up_to(2);
    const std::int64_t u = vectors == 2 ? m : r, vh = vectors == 2 ? n : r;
    call.batch<T>(m, n, count), call.number(vectors);
    if (flag()) call.exponents(count * n);
    else call.missing();
    call.array<T>(vectors ? count * m * u : 0), call.array<T>(count * r), call.array<T>(vectors ? count * vh * n : 0);
    call.statuses(count);
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
    call.batch<T>(tall, k, count), call.gauge(count, k), call.array_or_missing<T>(count * k * k);
    const std::int64_t units = count * gram_blocks(tall, k);
    call.array<double>(units * k * k), call.array<double>(units * k);
  } else if (kernel == "cholesky" || kernel == "choleskyAgain") {
    call.number(static_cast<double>(count)), call.number(static_cast<double>(tall)),
        call.number(static_cast<double>(k));
    call.array<T>(count * k * k), call.array<double>(room * gram_blocks(tall, k) * k * k), call.sources(count, room);
    call.gauge(count, k, true), call.exponents(count * k);
    call.array<double>(count * k * k), call.array<double>(count * k * k), call.statuses(count);
  } else if (kernel == "gramSvd") {
    const std::int64_t columns = k + 1, vectors = std::min(p, columns);
    const bool values_only = flag();
    for (const std::int64_t x : {count, columns, vectors}) call.number(static_cast<double>(x));
    for (const std::int64_t rows : {tall + 1, m + n + 1}) {
      call.number(static_cast<double>(rows)), call.array<double>(room * gram_blocks(rows, columns) * columns * columns);
      call.sources(count, room), call.gauge(count, columns, true);
      if (values_only) call.missing();
      else call.array<float>(count * columns * vectors);
    }
    call.array<double>(count * columns), call.statuses(count);
  } else if (kernel == "solveRoot") {
    const bool narrow = flag();
    call.batch<T>(k, p, count), call.number(narrow), call.number(flag()), call.gauge(count, k);
    call.array<double>(count * k * k);
    if (narrow) call.array<float>(count * k * p);
    else call.array<T>(count * k * p);
  } else if (kernel == "multiplySolved") {
    call.batch<T>(tall, k, count), call.gauge(count, k), call.array<T>(count * k * k);
    call.number(static_cast<double>(p)), call.array<T>(count * k * p), call.number(flag());
    call.positions(count, room), call.array<T>(room * tall * p);
  } else if (kernel == "gemm") {
    call.batch<T>(m, k, count), call.batch<T>(k, n, count), call.number(flag() ? 1 : -3), call.number(flag());
    call.positions(count, room), call.array<T>(room * m * n), call.statuses(count);
  } else if (kernel == "geev") {
    call.batch<T>(n, n, count), call.array<T>(count * n), call.array<T>(count * n), call.statuses(count);
  } else if (kernel == "scan") {
    call.batch<T>(m, n, count), call.array<double>(count * n), call.array<std::int32_t>(count * n),
        call.statuses(count);
  } else if (kernel == "pack") {
    const bool narrow = flag();
    const std::int64_t stride = m * n + choices.up_to(3);
    if (flag()) call.number(2 + flag()), call.batch<std::uint16_t>(m, n, count);
    else call.number(std::is_same_v<T, double>), call.batch<T>(m, n, count);
    call.number(narrow), call.gauge(count, n), call.number(flag() ? 1 : -1), call.number(flag());
    call.number(flag()), call.number(static_cast<double>(stride)), call.positions(count, room);
    if (narrow) call.array<float>(room * stride);
    else call.array<double>(room * stride);
  } else if (kernel == "copy") {
    if (flag()) call.batch<std::uint16_t>(m, n, count), call.array<std::uint16_t>(room * m * n);
    else call.batch<T>(m, n, count), call.array<T>(room * m * n);
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
  Sizes s{dimension(40), dimension(40), dimension(20), dimension(20), 1 + dimension(2), 0};
  s.room = s.count + dimension(1);
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
  call.check_statuses();
  return 0;
}
