#pragma once
#include "tiles.h"

namespace limelight {
namespace {

/// As many second fields at a time as there are lanes: their products are summed over lanes together.
inline void inner(int rows, const float* const* x, int fields, int size, float* const* y) {
  for (int r = 0; r < rows; r++) {
    float* out = y[r];
    for (int i = 0; i < fields; i++) {
      const float* xi = x[r] + i * size;
      for (int j = i + 1; j < fields; j += Vec::lanes) {
        const int count = lesser(Vec::lanes, fields - j);
        Vec sums[Vec::lanes];
        for (int l = 0; l < Vec::lanes; l++) sums[l] = Vec::zero();
        for (int d = 0; d < size; d += Vec::lanes) {
          const int n = lesser(Vec::lanes, size - d);
          const Vec first = Vec::load(xi + d, n);
          for (int l = 0; l < count; l++) sums[l] = fma(first, Vec::load(x[r] + (j + l) * size + d, n), sums[l]);
        }
        sumsOf(sums).store(out, count);
        out += count;
      }
    }
  }
}

}  // namespace
}  // namespace limelight
