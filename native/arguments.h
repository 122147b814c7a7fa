// The arguments of a kernel call, read in order and checked: from typed arrays and numbers to plain structs.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

#include "core/batch.h"
#include "core/pack.h"

namespace fsvd {

enum class ElementType { float32, float64, int32, uint16, other };

struct TypedArray {
  ElementType type = ElementType::other;
  void* data = nullptr;
  std::int64_t length = 0;
};

// Where arguments come from: JavaScript (node_arguments.h), or the fuzzer.
class ArgumentSource {
 public:
  virtual ~ArgumentSource() = default;
  virtual bool is_missing(std::size_t i) const = 0;  // null or undefined
  virtual bool get(std::size_t i, TypedArray& out) const = 0;
  virtual bool get(std::size_t i, double& out) const = 0;
  virtual void prefer_large_pages(std::size_t) const {}  // for a large array
};

// A plain TypeError in JavaScript.
struct WrongArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Everything that arrives here was made by lib/native/kernels.ts, so a mistake is a bug of this package: it throws
// WrongArgument, but no kernel ever reads or writes outside an array.
class Arguments {
 public:
  explicit Arguments(const ArgumentSource& source) : source_(source) {}

  // Whether the argument after the next `ahead` ones is a typed array of T.
  template <class T>
  bool is(int ahead) const;

  // data, layout (Float64Array: row stride, column stride, offset of every item), rows, cols
  template <class T>
  Batch<const T> batch();

  // A typed array of exactly `length` elements; null or undefined gives nullptr.
  template <class T>
  T* array(std::int64_t length);
  template <class T>
  T* required_array(std::int64_t length);
  // A Float64Array of parts of `size` elements, and `source` (Int32Array or null): which part each of `count` items reads.
  const double* sourced_array(const std::int32_t*& source, std::int64_t count, std::int64_t size);

  // Which items of the output a call writes, ascending: Int32Array or null for all in order.
  const std::int32_t* positions(std::int64_t count);
  // The output that holds those items, of `size` elements each, one every `stride`.
  template <class T>
  T* strided_items(const std::int32_t* positions, std::int64_t count, std::int64_t stride, std::int64_t size);
  template <class T>
  T* items_at(const std::int32_t* positions, std::int64_t count, std::int64_t size) {
    return strided_items<T>(positions, count, size, size);
  }
  Status* statuses(std::int64_t count);

  // perm and exponents, Int32Array or null
  Gauge gauge(std::int64_t count, std::int64_t cols);
  Gauge gauge_with_perm(std::int64_t count, std::int64_t cols);

  std::int64_t integer();
  std::int64_t dimension();  // not negative
  double number();
  bool boolean() { return integer() != 0; }

  // Exponents that were read: sums of a few fit an int.
  void require_exponents(const std::int32_t* exponents, std::int64_t n) const;

  // What must hold of the arguments up to here.
  void require(bool holds, const char* what) const {
    if (!holds) fail(what);
  }
  // Elements of `count` matrices of a x b.
  std::int64_t extent(std::int64_t count, std::int64_t a, std::int64_t b = 1) const;

 private:
  TypedArray next_array(const char* expected);
  template <class T>
  TypedArray next_array_of();
  const std::int32_t* sources(std::int64_t count);
  [[noreturn]] void fail(const std::string& what) const;

  const ArgumentSource& source_;
  std::size_t position_ = 0;
};

}  // namespace fsvd
