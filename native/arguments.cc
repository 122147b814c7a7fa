#include "arguments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/large_pages.h"

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

constexpr double exact_integers = 9007199254740992.0;  // 2^53
constexpr std::int32_t largest_exponent = 1 << 20;     // sums of a few of them fit an int

bool is_exact_integer(double x) { return std::abs(x) <= exact_integers && x == std::floor(x); }

}  // namespace

void Arguments::fail(const std::string& what) const {
  throw WrongArgument("argument " + std::to_string(position_) + ": " + what);
}

TypedArray Arguments::next_array(const char* expected) {
  TypedArray array;
  if (!source_.get(position_++, array)) fail(expected);
  return array;
}

template <class T>
TypedArray Arguments::next_array_of() {
  const TypedArray array = next_array("wrong kind of typed array");
  if (array.type != element_type<T>()) fail("wrong kind of typed array");
  if (static_cast<std::size_t>(array.length) * sizeof(T) >= large_page) source_.prefer_large_pages(position_ - 1);
  return array;
}

std::int64_t Arguments::extent(std::int64_t count, std::int64_t a, std::int64_t b) const {
  std::int64_t size = 0;
  if (__builtin_mul_overflow(a, b, &size) || __builtin_mul_overflow(size, count, &size)) fail("too many elements");
  return size;
}

template <class T>
bool Arguments::is(int ahead) const {
  TypedArray array;
  return source_.get(position_ + ahead, array) && array.type == element_type<T>();
}

std::int64_t Arguments::integer() {
  const double x = number();
  if (!is_exact_integer(x)) fail("expected an integer");
  return static_cast<std::int64_t>(x);
}

std::int64_t Arguments::dimension() {
  const std::int64_t n = integer();
  if (n < 0) fail("negative dimension");
  return n;
}

double Arguments::number() {
  double x = 0;
  if (!source_.get(position_++, x)) fail("expected a number");
  return x;
}

template <class T>
T* Arguments::array(std::int64_t length) {
  if (source_.is_missing(position_)) return ++position_, nullptr;
  const TypedArray array = next_array_of<T>();
  if (array.length != length)
    fail("expected " + std::to_string(length) + " elements, not " + std::to_string(array.length));
  return static_cast<T*>(array.data);
}

template <class T>
T* Arguments::required_array(std::int64_t length) {
  T* data = array<T>(length);
  if (!data && length > 0) fail("expected a typed array");
  return data;
}

template <class T>
Batch<const T> Arguments::batch() {
  const TypedArray data = next_array_of<T>(), layout = next_array("expected a layout");
  if (layout.type != ElementType::float64 || layout.length < 2) fail("expected a layout");
  const double* l = static_cast<const double*>(layout.data);
  if (!is_exact_integer(l[0]) || !is_exact_integer(l[1])) fail("a stride is no integer");
  Batch<const T> a;
  a.data = static_cast<const T*>(data.data);
  a.row_stride = static_cast<std::int64_t>(l[0]);
  a.col_stride = static_cast<std::int64_t>(l[1]);
  a.offsets = l + 2;
  a.count = layout.length - 2;
  a.rows = dimension();
  a.cols = dimension();
  if (extent(1, a.rows, a.cols) == 0) return a;
  // Reach of one item, in doubles so that nothing wraps.
  const double down = static_cast<double>(a.rows - 1) * l[0], across = static_cast<double>(a.cols - 1) * l[1];
  const double lowest = std::min(down, 0.0) + std::min(across, 0.0);
  const double highest = std::max(down, 0.0) + std::max(across, 0.0);
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (!(a.offsets[i] + lowest >= 0 && a.offsets[i] + highest < static_cast<double>(data.length))) {
      fail("item " + std::to_string(i) + " lies outside its array");
    }
  }
  return a;
}

const std::int32_t* Arguments::positions(std::int64_t count) {
  const std::int32_t* at = sources(count);
  for (std::int64_t i = 1; at && i < count; ++i)
    if (at[i] <= at[i - 1]) fail("positions do not ascend");
  return at;
}

const std::int32_t* Arguments::sources(std::int64_t count) {
  const std::int32_t* at = array<std::int32_t>(count);
  for (std::int64_t i = 0; at && i < count; ++i)
    if (at[i] < 0) fail("negative position");
  return at;
}

const double* Arguments::sourced_array(const std::int32_t*& source, std::int64_t count, std::int64_t size) {
  const TypedArray parts = next_array_of<double>();
  source = sources(count);
  const std::int64_t last = source && count > 0 ? *std::max_element(source, source + count) : count - 1;
  if (parts.length < extent(last + 1, size)) fail("a source lies outside the parts");
  return static_cast<const double*>(parts.data);
}

template <class T>
T* Arguments::strided_items(const std::int32_t* positions, std::int64_t count, std::int64_t stride, std::int64_t size) {
  const std::int64_t last = positions && count > 0 ? positions[count - 1] : count - 1;
  if (count > 1 && stride < size) fail("the items overlap");
  const TypedArray array = next_array_of<T>();
  if (count == 0) return static_cast<T*>(array.data);
  std::int64_t needed = 0;
  if (__builtin_add_overflow(extent(last, stride), size, &needed) || array.length < needed)
    fail("the items do not fit " + std::to_string(array.length) + " elements");
  return static_cast<T*>(array.data);
}

Status* Arguments::statuses(std::int64_t count) {
  static_assert(sizeof(Status) == 3 * sizeof(double), "read in JavaScript as three doubles");
  return reinterpret_cast<Status*>(required_array<double>(extent(count, 3)));
}

Gauge Arguments::gauge(std::int64_t count, std::int64_t cols) {
  Gauge g;
  const std::int64_t n = extent(count, cols);
  g.perm = array<std::int32_t>(n);
  for (std::int64_t i = 0; g.perm && i < n; ++i) {
    if (g.perm[i] < 0 || g.perm[i] >= cols) fail("not a permutation");
  }
  g.exponents = array<std::int32_t>(n);
  if (g.exponents) require_exponents(g.exponents, n);
  return g;
}

void Arguments::require_exponents(const std::int32_t* exponents, std::int64_t n) const {
  for (std::int64_t i = 0; i < n; ++i)
    if (exponents[i] < -largest_exponent || exponents[i] > largest_exponent) fail("an exponent is out of range");
}

Gauge Arguments::gauge_with_perm(std::int64_t count, std::int64_t cols) {
  const Gauge g = gauge(count, cols);
  if (!g.perm && extent(count, cols) > 0) fail("expected a permutation");
  return g;
}

template bool Arguments::is<float>(int) const;
template bool Arguments::is<std::uint16_t>(int) const;
template Batch<const float> Arguments::batch();
template Batch<const double> Arguments::batch();
template Batch<const std::uint16_t> Arguments::batch();
template Batch<const Bfloat16> Arguments::batch();
template Batch<const Float16> Arguments::batch();
template float* Arguments::required_array(std::int64_t);
template double* Arguments::required_array(std::int64_t);
template std::int32_t* Arguments::required_array(std::int64_t);
template float* Arguments::strided_items(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t);
template double* Arguments::strided_items(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t);
template std::uint16_t* Arguments::strided_items(const std::int32_t*, std::int64_t, std::int64_t, std::int64_t);
template float* Arguments::array(std::int64_t);
template double* Arguments::array(std::int64_t);
template std::int32_t* Arguments::array(std::int64_t);

}  // namespace fsvd
