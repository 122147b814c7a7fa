// The arguments of a kernel call, read in order and checked: from typed arrays and numbers to plain structs.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/batch.h"
#include "core/kernels/gauge.h"

namespace fsvd {

enum class ElementType { float32, float64, int32, uint16, other };

struct TypedArray {
  ElementType type = ElementType::other;
  void* data = nullptr;
  std::int64_t length = 0;
};

// Where arguments come from, numbers and arrays, each in order: JavaScript (node_arguments.h), or the fuzzer.
class ArgumentSource {
 public:
  virtual ~ArgumentSource() = default;
  virtual bool is_missing(std::size_t i) const = 0;  // array i is null or undefined
  virtual bool get(std::size_t i, TypedArray& out) const = 0;
  virtual bool number(std::size_t i, double& out) const = 0;
  virtual void prefer_large_pages(std::size_t) const {}  // for a large array
};

// A plain TypeError in JavaScript.
struct WrongArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The fields of a kernel call, read in the order of lib/native/contract.ts, under its names. Everything that arrives here
// was made by lib/native/kernels.ts, so a mistake is a bug of this package: it throws WrongArgument, but no kernel ever
// reads or writes outside an array.
class Arguments {
 public:
  // What is read goes into `log`, as "name: kind", where one is given.
  explicit Arguments(const ArgumentSource& source, std::vector<std::string>* log = nullptr)
      : source_(source), log_(log) {}

  // Whether the next field is an array or a batch of T.
  template <class T>
  bool is() const;

  // Matrices to read.
  template <class T>
  Batch<const T> batch(const char* name, const char* kind = "batch");
  template <class T>
  Batch<const T> optional_batch(const char* name);  // without data where there is none
  // Matrices to write: rows or columns one behind the other, and no item over another.
  template <class T>
  Batch<T> output(const char* name, const char* kind = "output");
  template <class T>
  Batch<T> optional_output(const char* name);

  // A typed array of exactly `length` elements; null or undefined gives nullptr.
  template <class T>
  T* array(const char* name, std::int64_t length, const char* kind);
  std::int32_t* optional_integers(const char* name, std::int64_t length) {
    return array<std::int32_t>(name, length, "int32?");
  }
  template <class T>
  T* required_array(const char* name, std::int64_t length, const char* kind = nullptr);
  Status* statuses(std::int64_t count);

  // perm and exponents; either may be missing
  Gauge gauge(std::int64_t count, std::int64_t cols, const char* perm = "perm", const char* exponents = "exponents");
  Gauge gauge_with_perm(std::int64_t count, std::int64_t cols, const char* perm = "perm",
                        const char* exponents = "exponents");

  std::int64_t integer(const char* name);
  std::int64_t dimension(const char* name);  // not negative
  double number(const char* name);
  bool flag(const char* name);

  // Exponents that were read: sums of a few fit an int.
  void require_exponents(const std::int32_t* exponents, std::int64_t n) const;

  // What must hold of the fields up to here.
  void require(bool holds, const char* what) const {
    if (!holds) fail(what);
  }
  // Elements of `count` matrices of a x b.
  std::int64_t extent(std::int64_t count, std::int64_t a, std::int64_t b = 1) const;

 private:
  void begin(const char* name, const char* kind);
  bool skip_missing_batch(const char* name, const char* kind);
  std::int64_t next_integer();
  double next_number();
  template <class T>
  TypedArray next_array();
  template <class T>
  Batch<T> next_batch();
  [[noreturn]] void fail(const std::string& what) const;

  static constexpr std::size_t batch_arrays = 2, batch_numbers = 7;  // of one batch

  const ArgumentSource& source_;
  std::vector<std::string>* log_;
  const char* name_ = "";               // of the field that is being read
  std::size_t array_ = 0, number_ = 0;  // the next ones
};

}  // namespace fsvd
