#pragma once
#include "../kernels.h"

namespace limelight {
namespace {

/// Asks for the lines that are read after a product, spread evenly over its steps: a core waits for few lines of memory at a
/// time, and many at once would keep the product's own from coming.
class Later {
 public:
  Later(const MatrixProduct& p, int steps) : next_(p.later), count_(p.laterCount), steps_(steps) {}

  void step() {
    for (due_ += count_; due_ >= steps_; due_ -= steps_) __builtin_prefetch(*next_++, 0, 2);
  }

 private:
  const std::byte* const* next_;
  int count_;
  int steps_;
  int due_ = 0;
};

}  // namespace
}  // namespace limelight
