#pragma once
#include "numbers.h"

namespace limelight {
namespace {

/// The greatest of n ≥ 1 numbers.
inline float greatest(const float* x, int n) {
  if (n < Vec::lanes) {
    float most = x[0];
    for (int j = 1; j < n; j++) most = x[j] > most ? x[j] : most;
    return most;
  }
  Vec most = Vec::load(x + n - Vec::lanes);
  for (int j = 0; j + Vec::lanes <= n; j += Vec::lanes) most = max(most, Vec::load(x + j));
  return maxLanes(most);
}

/// y = e^(x − max x) / Σ e^(x − max x). A NaN makes the sum NaN, and so every number. What is e⁻⁸⁰ of the greatest or less counts as
/// that: numbers too small to be normal are slow.
inline void softmax(int rows, const float* const* x, int n, float* const* y) {
  constexpr int heldVectors = 8;
  for (int i = 0; i < rows && n > 0; i++) {
    // Short rows are held as whole vectors until they are divided: reading a part of a vector that was just written has to wait.
    float held[heldVectors * Vec::lanes];
    const bool isHeld = n <= heldVectors * Vec::lanes;
    float* const e = isHeld ? held : y[i];
    const Vec most = Vec::of(greatest(x[i], n));
    Vec total = Vec::zero();
    forEachVector(n, [&](int j, int m) {
      const Vec power = exp(max(Vec::of(-80.0f), Vec::load(x[i] + j, m) - most));
      isHeld ? power.store(e + j) : power.store(e + j, m);
      total = total + (m == Vec::lanes ? power : Vec::load(e + j, m));
    });
    const Vec share = Vec::of(1.0f / sumLanes(total));
    forEachVector(n, [&](int j, int m) { (Vec::load(e + j, m) * share).store(y[i] + j, m); });
  }
}

}  // namespace
}  // namespace limelight
