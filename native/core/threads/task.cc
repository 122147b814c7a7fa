#include "task.h"

#include <algorithm>

#include "owner.h"

namespace fsvd {
namespace {
thread_local Working* working = nullptr;
}

bool Task::stopped() const { return stopped_.load(std::memory_order_relaxed) || owner_->closed(); }

double Task::done() const {
  const double units = static_cast<double>(units_.load());
  return units > 0 ? std::min(1.0, static_cast<double>(done_.load()) / (unit * units)) : 0;
}

Working::Working(Task* task, bool helps) : task_(task), helps_(helps), outer_(working) { working = this; }
Working::~Working() { working = outer_; }

void Working::tell(double done) {
  const auto parts = static_cast<std::int64_t>(std::min(done, 1.0) * Task::unit);
  if (!task_ || parts <= told_) return;
  task_->done_.fetch_add(parts - told_, std::memory_order_relaxed);
  told_ = parts;
}

void Working::finish() { tell(1); }

Task* current_task() { return working ? working->task_ : nullptr; }

void advance(double done) {
  if (working && !working->helps_) working->tell(working->from_ + done * working->share_);
}

Stage::Stage(double from, double to) : from_(0), share_(1) {
  if (!working) return;
  from_ = working->from_, share_ = working->share_;
  working->from_ = from_ + from * share_, working->share_ = (to - from) * share_;
}

Stage::~Stage() {
  if (!working) return;
  advance(1);
  working->from_ = from_, working->share_ = share_;
}

Apart::Apart() : owner_(working && working->task_ && !working->helps_ ? working->task_->owner().get() : nullptr) {
  if (owner_) pool::leave(*owner_);
}

Apart::~Apart() {
  if (owner_) pool::enter(*owner_);
}

}  // namespace fsvd
