#include "arguments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/base/half.h"
#include "core/base/memory.h"

namespace fsvd {
namespace {

template <class T>
constexpr ElementType element_type();
template <> constexpr ElementType element_type<float>() { return ElementType::float32; }
template <> constexpr ElementType element_type<double>() { return ElementType::float64; }
template <> constexpr ElementType element_type<std::int32_t>() { return ElementType::int32; }
template <> constexpr ElementType element_type<std::uint16_t>() { return ElementType::uint16; }
template <> constexpr ElementType element_type<Bfloat16>() { return ElementType::uint16; }
template <> constexpr ElementType element_type<Float16>() { return ElementType::uint16; }

// As lib/native/contract.ts calls a required array of T.
template <class T>
const char* kind_of() {
  return std::is_same_v<T, std::int32_t> ? "int32" : "float64";
}

constexpr double exact_integers = 9007199254740992.0;  // 2^53
constexpr std::int32_t largest_exponent = 1 << 20;     // sums of a few of them fit an int

bool is_exact_integer(double x) { return std::abs(x) <= exact_integers && x == std::floor(x); }

}  // namespace

void Arguments::fail(const std::string& what) const { throw WrongArgument(std::string(name_) + ": " + what); }

void Arguments::begin(const char* name, const char* kind) {
  name_ = name;
  if (log_) log_->push_back(std::string(name) + ": " + kind);
}

template <class T>
TypedArray Arguments::next_array() {
  TypedArray array;
  if (!source_.get(array_++, array) || array.type != element_type<T>()) fail("wrong kind of typed array");
  if (static_cast<std::size_t>(array.length) * sizeof(T) >= large_page) source_.prefer_large_pages(array_ - 1);
  return array;
}

std::int64_t Arguments::extent(std::int64_t count, std::int64_t a, std::int64_t b) const {
  std::int64_t size = 0;
  if (__builtin_mul_overflow(a, b, &size) || __builtin_mul_overflow(size, count, &size)) fail("too many elements");
  return size;
}

template <class T>
bool Arguments::is() const {
  TypedArray array;
  return source_.get(array_, array) && array.type == element_type<T>();
}

double Arguments::next_number() {
  double x = 0;
  if (!source_.number(number_++, x)) fail("expected a number");
  return x;
}

std::int64_t Arguments::next_integer() {
  const double x = next_number();
  if (!is_exact_integer(x)) fail("expected an integer");
  return static_cast<std::int64_t>(x);
}

double Arguments::number(const char* name) {
  begin(name, "number");
  return next_number();
}

std::int64_t Arguments::integer(const char* name) {
  begin(name, "integer");
  return next_integer();
}

std::int64_t Arguments::dimension(const char* name) {
  const std::int64_t n = integer(name);
  if (n < 0) fail("negative dimension");
  return n;
}

bool Arguments::flag(const char* name) {
  begin(name, "flag");
  return next_integer() != 0;
}

template <class T>
T* Arguments::array(const char* name, std::int64_t length, const char* kind) {
  begin(name, kind);
  if (source_.is_missing(array_)) {
    ++array_;
    return nullptr;
  }
  const TypedArray array = next_array<T>();
  if (array.length != length)
    fail("expected " + std::to_string(length) + " elements, not " + std::to_string(array.length));
  return static_cast<T*>(array.data);
}

template <class T>
T* Arguments::required_array(const char* name, std::int64_t length, const char* kind) {
  T* data = array<T>(name, length, kind ? kind : kind_of<T>());
  if (!data && length > 0) fail("expected a typed array");
  return data;
}

template <class T>
Batch<T> Arguments::next_batch() {
  using Element = std::remove_const_t<T>;
  const TypedArray data = next_array<Element>();
  Batch<T> a;
  a.data = static_cast<T*>(data.data);
  a.count = next_integer(), a.rows = next_integer(), a.cols = next_integer();
  if (a.count < 0 || a.rows < 0 || a.cols < 0) fail("negative dimension");
  a.row_stride = next_integer(), a.col_stride = next_integer();
  a.first = next_integer(), a.step = next_integer();
  if (source_.is_missing(array_)) ++array_;
  else {
    const TypedArray offsets = next_array<double>();
    if (offsets.length != a.count) fail("expected one offset for each item");
    a.offsets = static_cast<const double*>(offsets.data);
  }
  // Where nothing lies, nobody has looked at what strides and offsets say.
  if (extent(a.count, a.rows, a.cols) == 0) return {a.data, a.rows, a.cols, a.cols, 1, a.count};
  // What the items reach, in doubles so that nothing wraps.
  const double down = static_cast<double>(a.rows - 1) * static_cast<double>(a.row_stride);
  const double across = static_cast<double>(a.cols - 1) * static_cast<double>(a.col_stride);
  const double lowest = std::min(down, 0.0) + std::min(across, 0.0);
  const double highest = std::max(down, 0.0) + std::max(across, 0.0);
  const auto inside = [&](double offset) {
    return offset + lowest >= 0 && offset + highest < static_cast<double>(data.length);
  };
  const double first = static_cast<double>(a.first), step = static_cast<double>(a.step);
  for (std::int64_t i = 0; i < a.count; i += a.offsets ? 1 : std::max<std::int64_t>(1, a.count - 1)) {
    if (!inside(a.offsets ? a.offsets[i] : first + static_cast<double>(i) * step))
      fail("item " + std::to_string(i) + " lies outside its array");
  }
  return a;
}

template <class T>
Batch<const T> Arguments::batch(const char* name, const char* kind) {
  begin(name, kind);
  return next_batch<const T>();
}

template <class T>
Batch<T> Arguments::output(const char* name, const char* kind) {
  begin(name, kind);
  Batch<T> out = next_batch<T>();
  if (out.count == 0 || out.size() == 0) return out;
  const bool by_rows = out.col_stride == 1 && (out.row_stride >= out.cols || out.rows == 1);
  const bool by_cols = out.row_stride == 1 && (out.col_stride >= out.rows || out.cols == 1);
  if (!by_rows && !by_cols) fail("neither rows nor columns lie one behind the other");
  // What a single row or column says of where the next one would lie counts for nothing, and BLAS takes it for a size.
  if (by_rows && out.rows == 1) out.row_stride = out.cols;
  if (!by_rows && out.cols == 1) out.col_stride = out.rows;
  const std::int64_t reach = (out.rows - 1) * out.row_stride + (out.cols - 1) * out.col_stride + 1;
  for (std::int64_t i = 1; i < (out.offsets ? out.count : std::min<std::int64_t>(out.count, 2)); ++i) {
    if (!(out.offsets ? out.offsets[i] - out.offsets[i - 1] >= static_cast<double>(reach) : out.step >= reach))
      fail("the items overlap");
  }
  return out;
}

bool Arguments::skip_missing_batch(const char* name, const char* kind) {
  if (!source_.is_missing(array_)) return false;
  begin(name, kind);
  array_ += batch_arrays, number_ += batch_numbers;
  return true;
}

template <class T>
Batch<const T> Arguments::optional_batch(const char* name) {
  return skip_missing_batch(name, "batch?") ? Batch<const T>{} : batch<T>(name, "batch?");
}

template <class T>
Batch<T> Arguments::optional_output(const char* name) {
  return skip_missing_batch(name, "output?") ? Batch<T>{} : output<T>(name, "output?");
}

Status* Arguments::statuses(std::int64_t count) {
  static_assert(sizeof(Status) == 3 * sizeof(double), "read in JavaScript as three doubles");
  return reinterpret_cast<Status*>(required_array<double>("status", extent(count, 3)));
}

Gauge Arguments::gauge(std::int64_t count, std::int64_t cols, const char* perm, const char* exponents) {
  Gauge g;
  const std::int64_t n = extent(count, cols);
  g.perm = optional_integers(perm, n);
  for (std::int64_t i = 0; g.perm && i < n; ++i) {
    if (g.perm[i] < 0 || g.perm[i] >= cols) fail("not a permutation");
  }
  g.exponents = optional_integers(exponents, n);
  if (g.exponents) require_exponents(g.exponents, n);
  return g;
}

void Arguments::require_exponents(const std::int32_t* exponents, std::int64_t n) const {
  for (std::int64_t i = 0; i < n; ++i)
    if (exponents[i] < -largest_exponent || exponents[i] > largest_exponent) fail("an exponent is out of range");
}

Gauge Arguments::gauge_with_perm(std::int64_t count, std::int64_t cols, const char* perm, const char* exponents) {
  const Gauge g = gauge(count, cols, perm, exponents);
  if (!g.perm && extent(count, cols) > 0) fail("expected a permutation");
  return g;
}

template bool Arguments::is<float>() const;
template bool Arguments::is<std::uint16_t>() const;
template Batch<const float> Arguments::batch(const char*, const char*);
template Batch<const double> Arguments::batch(const char*, const char*);
template Batch<const std::uint16_t> Arguments::batch(const char*, const char*);
template Batch<const Bfloat16> Arguments::batch(const char*, const char*);
template Batch<const Float16> Arguments::batch(const char*, const char*);
template Batch<const float> Arguments::optional_batch(const char*);
template Batch<const double> Arguments::optional_batch(const char*);
template Batch<float> Arguments::output(const char*, const char*);
template Batch<double> Arguments::output(const char*, const char*);
template Batch<std::uint16_t> Arguments::output(const char*, const char*);
template Batch<float> Arguments::optional_output(const char*);
template float* Arguments::required_array(const char*, std::int64_t, const char*);
template double* Arguments::required_array(const char*, std::int64_t, const char*);
template std::int32_t* Arguments::required_array(const char*, std::int64_t, const char*);
template std::int32_t* Arguments::array(const char*, std::int64_t, const char*);

}  // namespace fsvd
