#include "team.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>

#include "core/base/memory.h"
#include "pool.h"

namespace fsvd {
namespace {

// What there is to do, in one word, so that a part is claimed with one compare-and-swap: a count of the calls of
// `each`, the number of parts, and the next part that nobody has taken.
struct Phase {
  static constexpr int bits = 24;
  static constexpr std::uint64_t mask = (1u << bits) - 1;
  std::uint64_t word;

  std::int64_t parts() const { return static_cast<std::int64_t>(word >> bits & mask); }
  std::int64_t next() const { return static_cast<std::int64_t>(word & mask); }
  bool exhausted() const { return next() >= parts(); }
  Phase following(std::int64_t parts) const {
    return {((word >> 2 * bits) + 1) << 2 * bits | static_cast<std::uint64_t>(parts) << bits};
  }
};

// The parts of a matrix are some microseconds of work: whoever waits looks often at first, and then gives way.
template <class Condition>
bool soon(const Condition& met, std::chrono::microseconds limit) {
  constexpr int looks = 200;
  for (int i = 0; i < looks; ++i)
    if (met()) return true;
  for (const auto end = std::chrono::steady_clock::now() + limit; std::chrono::steady_clock::now() < end; sched_yield())
    if (met()) return true;
  return false;
}

}  // namespace

struct Team::Crew final : pool::Joint {
  Task* const task = current_task();
  std::atomic<std::uint64_t> word{0};
  std::atomic<const FunctionRef<void(std::int64_t)>*> part{nullptr};
  std::atomic<std::int64_t> left{0};
  std::atomic<bool> dismissed{false};

  std::mutex mutex;
  std::exception_ptr error;

  // Takes parts while there are any. Only a part that is not done yet can be claimed, and so `part` stays what it is.
  void work() {
    for (;;) {
      Phase phase{word.load()};
      if (phase.exhausted()) return;
      if (!word.compare_exchange_weak(phase.word, phase.word + 1)) continue;
      try {
        look_up();
        (*part.load())(phase.next());
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
      }
      --left;
    }
  }

  bool has_parts() const override { return !Phase{word.load()}.exhausted(); }

  void help() override {
    const Working helping(task, true);
    const auto more = [&] { return dismissed || pool::needed() || has_parts(); };
    while (!dismissed && !pool::needed()) {
      work();
      if (!soon(more, std::chrono::microseconds(200))) return;
    }
  }
};

Team::Team(bool alone) : size_(alone ? 1 : std::max(1, pool::threads())) {
  if (size_ == 1) return;
  crew_ = share<Crew>();
  pool::open(crew_, size_ - 1);
}

Team::~Team() {
  if (!crew_) return;
  crew_->dismissed = true;
  pool::end(*crew_);
}

void Team::each(std::int64_t parts, FunctionRef<void(std::int64_t)> part) {
  if (!crew_ || parts == 1) {
    for (std::int64_t i = 0; i < parts; ++i) look_up(), part(i);
    return;
  }
  Crew& crew = *crew_;
  crew.part = &part;
  crew.left = parts;
  crew.word = Phase{crew.word.load()}.following(parts).word;
  pool::wake(crew);
  crew.work();
  while (!soon([&] { return crew.left == 0; }, std::chrono::microseconds(1000))) continue;
  if (!crew.error) return;
  std::exception_ptr error;
  std::swap(error, crew.error);
  std::rethrow_exception(error);
}

}  // namespace fsvd
