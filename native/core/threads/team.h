// Several threads inside one unit of work: for a matrix that is large enough to occupy all of them by itself.
#pragma once
#include <cstdint>
#include <memory>

#include "core/base/callable.h"

namespace fsvd {

// The caller's thread, and compute threads of the pool that have nothing else to do. They join and leave at any time:
// what is to be done must not depend on who does it. Between parts all of them look up whether it is still wanted.
class Team {
 public:
  explicit Team(bool alone = false);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // How many threads take parts at the same time, at the most.
  int size() const { return size_; }

  // part(0) … part(parts − 1), each on one thread; returns when all are done. Rethrows the first exception.
  void each(std::int64_t parts, FunctionRef<void(std::int64_t part)> part);

 private:
  struct Crew;
  const int size_;
  std::shared_ptr<Crew> crew_;  // null: the caller is alone
};

}  // namespace fsvd
