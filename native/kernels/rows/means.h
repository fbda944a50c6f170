#pragma once
#include "tiles.h"

namespace limelight {
namespace {

/// Σ x[0 .. n)
inline Vec sumOfVectors(const float* x, int n) {
  Vec sum = Vec::zero();
  int d = 0;
  for (; d + Vec::lanes <= n; d += Vec::lanes) sum = sum + Vec::load(x + d);
  return d < n ? sum + Vec::load(x + d, n - d) : sum;
}

/// As many fields at a time as there are lanes: their sums over lanes are taken together.
inline void means(int rows, const float* const* x, const int* sizes, int fields, float* const* y) {
  int from = 0;
  for (int first = 0; first < fields; first += Vec::lanes) {
    const int count = lesser(Vec::lanes, fields - first);
    int at[Vec::lanes];
    float divisors[Vec::lanes];
    for (int f = 0; f < count; from += sizes[first + f++]) {
      at[f] = from;
      divisors[f] = float(sizes[first + f]);
    }
    for (int f = count; f < Vec::lanes; f++) divisors[f] = 1.0f;
    for (int i = 0; i < rows; i++) {
      Vec sums[Vec::lanes];
      for (int f = 0; f < Vec::lanes; f++) {
        sums[f] = f < count ? sumOfVectors(x[i] + at[f], sizes[first + f]) : Vec::zero();
      }
      (sumsOf(sums) / Vec::load(divisors)).store(y[i] + first, count);
    }
  }
}

}  // namespace
}  // namespace limelight
