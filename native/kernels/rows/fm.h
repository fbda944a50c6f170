#pragma once
#include "numbers.h"

namespace limelight {
namespace {

inline void fm(int rows, const float* const* x, int fields, int size, float* const* y) {
  for (int i = 0; i < rows; i++) {
    Vec total = Vec::zero();
    forEachVector(size, [&](int d, int n) {
      Vec sum = Vec::zero(), squares = Vec::zero();
      for (int f = 0; f < fields; f++) {
        const Vec v = Vec::load(x[i] + f * size + d, n);
        sum = sum + v;
        squares = fma(v, v, squares);
      }
      total = total + (sum * sum - squares);
    });
    y[i][0] = 0.5f * sumLanes(total);
  }
}

}  // namespace
}  // namespace limelight
