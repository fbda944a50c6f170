#pragma once
#include "../kernels.h"

namespace limelight {
namespace {

/// Asks for what is read after a product, spread evenly over its steps: a core waits for few lines of memory at a
/// time, and many at once would keep the product's own from coming.
class Later {
 public:
  Later(const MatrixProduct& p, int steps) : next_(p.later), count_(p.laterCount), steps_(steps) {}

  void step() {
    for (due_ += count_; due_ >= steps_; due_ -= steps_) {
      const uintptr_t lines = *next_++ % 64, first = next_[-1] - lines;
      for (uintptr_t line = 0; line <= lines; line++) __builtin_prefetch(reinterpret_cast<const void*>(first + 64 * line), 0, 2);
    }
  }

 private:
  const uintptr_t* next_;
  int count_;
  int steps_;
  int due_ = 0;
};

}  // namespace
}  // namespace limelight
