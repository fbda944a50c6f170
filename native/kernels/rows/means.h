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

/// Means of up to `lanes` fields of `lanes` numbers each.
inline Vec meansOfVectors(const float* x, int count) {
  Vec fields[Vec::lanes];
  for (int f = 0; f < Vec::lanes; f++) fields[f] = f < count ? Vec::load(x + f * Vec::lanes) : Vec::zero();
  return sumsOf(fields) * Vec::of(1.0f / float(Vec::lanes));
}

/// As many fields at a time as there are lanes: their sums over lanes are taken together.
inline void means(int rows, const float* const* x, const int* sizes, int fields, float* const* y) {
  int from = 0;
  for (int first = 0; first < fields; first += Vec::lanes) {
    const int count = lesser(Vec::lanes, fields - first);
    int at[Vec::lanes];
    float divisors[Vec::lanes];
    bool whole = true;  // one vector a field
    for (int f = 0; f < count; from += sizes[first + f++]) {
      at[f] = from;
      divisors[f] = float(sizes[first + f]);
      whole = whole && sizes[first + f] == Vec::lanes;
    }
    for (int f = count; f < Vec::lanes; f++) divisors[f] = 1.0f;
    for (int i = 0; i < rows; i++) {
      if (whole) {
        meansOfVectors(x[i] + at[0], count).store(y[i] + first, count);
        continue;
      }
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
