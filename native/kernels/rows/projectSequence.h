#pragma once
#include "dense.h"
#include "pool.h"

namespace limelight {
namespace {

inline void projectSequence(int rows, const float* const* x, int length, int size, const float* w, int n, float* const* y) {
  constexpr int atOnce = 32;
  for (int i = 0; i < rows; i++) {
    const int count = eventsIn(x[i], length, size);
    for (int first = 0; first < count; first += atOnce) {
      const float* events[atOnce];
      float* keys[atOnce];
      const int some = lesser(atOnce, count - first);
      for (int e = 0; e < some; e++) {
        events[e] = x[i] + (first + e) * size;
        keys[e] = y[i] + (first + e) * n;
      }
      dense(some, events, size, w, nullptr, nullptr, n, Activation::linear, keys);
    }
  }
}

}  // namespace
}  // namespace limelight
