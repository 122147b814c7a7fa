// A computation as the threads see it that work for it: whether it is still wanted, and how far it is.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

namespace fsvd {

// Thrown by a thread that computes what nobody wants any more. What has been written is not to be read.
struct Stopped {};

// Whose work it is: an environment of Node, which may end while threads work for it.
class Owner;

// What is given up as a whole: the jobs of one asynchronous call, one after the other.
class Task {
 public:
  explicit Task(std::shared_ptr<Owner> owner) : owner_(std::move(owner)) {}

  const std::shared_ptr<Owner>& owner() const { return owner_; }
  bool stopped() const;
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

  // A job of so many units begins.
  void begin(std::int64_t units) { units_ = units, done_ = 0; }
  // The share of that job which is done; never falls.
  double done() const;

 private:
  friend class Working;
  static constexpr double unit = 1 << 20;  // one unit in done_

  std::shared_ptr<Owner> owner_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::int64_t> units_{0}, done_{0};
};

// While it lives, this thread works on a unit of `task` (null: of one that is never given up), or helps who does.
class Working {
 public:
  explicit Working(Task* task, bool helps = false);
  ~Working();
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

  // All of the unit is done.
  void finish();

 private:
  friend Task* current_task();
  friend void advance(double);
  friend class Stage;
  friend class Apart;
  void tell(double done);

  Task* task_;
  bool helps_;
  double from_ = 0, share_ = 1;  // the stage that `advance` counts in
  std::int64_t told_ = 0;
  Working* outer_;
};

Task* current_task();

// Throws Stopped when the result is not wanted any more. Every few hundredths of a second somebody has to look; it costs
// some nanoseconds.
inline void look_up() {
  const Task* task = current_task();
  if (task && task->stopped()) throw Stopped{};
}

// So much of the unit is done, or of the stage of it that this thread is in; only who works on the unit says so, not who
// helps.
void advance(double done);

// While it lives, what this thread does is the part of its unit, or of the stage around, from one share to another.
class Stage {
 public:
  Stage(double from, double to);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

 private:
  double from_, share_;
};

// While it lives, this thread touches no memory but its own, so that its owner can end without waiting for it.
class Apart {
 public:
  Apart();
  ~Apart();
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

 private:
  Owner* owner_;
};

// For a call of LAPACK that takes long, which nothing can interrupt, on memory of this thread. Throws Stopped instead of
// returning what is not wanted any more.
template <class F>
auto apart(const F& call) {
  const auto result = [&] {
    const Apart away;
    return call();
  }();
  look_up();
  return result;
}

}  // namespace fsvd
