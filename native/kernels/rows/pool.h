#pragma once
#include "numbers.h"

namespace limelight {
namespace {

/// How many events of a sequence are there: they come first, and their last number is 1.
inline int eventsIn(const float* x, int length, int size) {
  int count = 0;
  while (count < length && x[(count + 1) * size - 1] != 0) count++;
  return count;
}

inline void poolMean(int rows, const float* const* x, int length, int size, float* const* y) {
  for (int i = 0; i < rows; i++) {
    const int count = eventsIn(x[i], length, size);
    const Vec divisor = Vec::of(count > 0 ? float(count) : 1.0f);
    forEachVector(size, [&](int d, int n) {
      Vec sum = Vec::zero();
      for (int e = 0; e < count; e++) sum = sum + Vec::load(x[i] + e * size + d, n);
      (sum / divisor).store(y[i] + d, n);
    });
  }
}

}  // namespace
}  // namespace limelight
