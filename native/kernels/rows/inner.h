#pragma once
#include "tiles.h"

namespace limelight {
namespace {

constexpr int innerFirsts = 8;    // first fields at a time
constexpr int innerNumbers = 64;  // numbers of a field at a time; a multiple of `lanes`

/// columns[d]: number d of each of `count` fields
inline void transposeFields(const float* x, int count, int size, int numbers, Vec* columns) {
  for (int d = 0; d < numbers; d += Vec::lanes) {
    const int n = lesser(Vec::lanes, numbers - d);
    for (int l = 0; l < Vec::lanes; l++) columns[d + l] = l < count ? Vec::load(x + l * size + d, n) : Vec::zero();
    transpose(columns + d);
  }
}

/// As many second fields at a time as there are lanes, from `second` on, with their numbers side by side; some first
/// fields share each load.
inline void innerOfSeconds(const float* x, int fields, int size, int second, float* y) {
  const int count = lesser(Vec::lanes, fields - second);
  const int firsts = second + count - 1;
  Vec columns[innerNumbers];
  int transposed = -1;  // the number that `columns` begins with
  for (int i = 0; i < firsts; i += innerFirsts) {
    const float* rows[innerFirsts];
    Vec sums[innerFirsts];
    for (int r = 0; r < innerFirsts; r++) {
      rows[r] = x + lesser(i + r, firsts) * size;
      sums[r] = Vec::zero();
    }
    for (int from = 0; from < size; from += innerNumbers) {
      const int numbers = lesser(innerNumbers, size - from);
      if (transposed != from) transposeFields(x + second * size + from, count, size, numbers, columns);
      transposed = from;
      for (int d = 0; d < numbers; d++) {
        for (int r = 0; r < innerFirsts; r++) sums[r] = fma(Vec::of(rows[r][from + d]), columns[d], sums[r]);
      }
    }
    for (int r = 0; r < innerFirsts && i + r < firsts; r++) {
      const int f = i + r, skipped = f < second ? 0 : f + 1 - second;  // only pairs f < j are wanted
      sums[r].storeLanes(y + f * (2 * fields - f - 1) / 2 + second + skipped - f - 1, skipped, count);
    }
  }
}

inline void inner(int rows, const float* const* x, int fields, int size, float* const* y) {
  for (int row = 0; row < rows; row++) {
    for (int second = 0; second < fields; second += Vec::lanes) innerOfSeconds(x[row], fields, size, second, y[row]);
  }
}

}  // namespace
}  // namespace limelight
