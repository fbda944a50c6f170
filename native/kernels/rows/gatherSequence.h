#pragma once
#include "gather.h"
#include "numbers.h"

namespace limelight {
namespace {

inline void gatherSequence(int rows, const int32_t* offsets, const int32_t* ids, Table table, int length, int stride,
                           float* const* to, int offset) {
  for (int i = 0, end = offsets[rows]; i < rows; i++) {
    for (int e = offsets[i] + prefetchAhead; e < lesser(offsets[i + 1] + prefetchAhead, end); e++) {
      prefetchRow(table, ids[e]);
    }
    const int count = offsets[i + 1] - offsets[i];
    float* event = to[i] + offset;
    for (int e = 0; e < length; e++, event += stride) {
      const float* from = e < count ? table.values + size_t(ids[offsets[i] + e]) * size_t(table.size) : nullptr;
      forEachVector(table.size, [&](int d, int n) { (from ? Vec::load(from + d, n) : Vec::zero()).store(event + d, n); });
    }
  }
}

}  // namespace
}  // namespace limelight
