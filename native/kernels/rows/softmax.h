#pragma once
#include "numbers.h"

namespace limelight {
namespace {

/// y = e^(x − max x) / Σ e^(x − max x). A NaN makes the sum NaN, and so every number.
inline void softmax(int rows, const float* const* x, int n, float* const* y) {
  for (int i = 0; i < rows; i++) {
    float most = n > 0 ? x[i][0] : 0.0f;
    for (int j = 1; j < n; j++) most = x[i][j] > most ? x[i][j] : most;
    float total = 0.0f;
    forEachVector(n, [&](int j, int m) { exp(Vec::load(x[i] + j, m) - Vec::of(most)).store(y[i] + j, m); });
    const float* const powers = y[i];
    sum(1, &powers, n, &total);
    forEachVector(n, [&](int j, int m) { (Vec::load(y[i] + j, m) / Vec::of(total)).store(y[i] + j, m); });
  }
}

}  // namespace
}  // namespace limelight
