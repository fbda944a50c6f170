#pragma once
#include "gather.h"
#include "numbers.h"

namespace limelight {
namespace {

inline void gatherLists(int rows, const int32_t* offsets, const int32_t* ids, bool mean, Table table, float* const* to,
                        int offset) {
  static const int32_t none = 0;
  for (int i = 0, end = offsets[rows]; i < rows; i++) {
    for (int e = offsets[i] + prefetchAhead; e < lesser(offsets[i + 1] + prefetchAhead, end); e++) {
      prefetchRow(table, ids[e]);
    }
    const int count = offsets[i + 1] - offsets[i];
    const int32_t* list = count > 0 ? ids + offsets[i] : &none;
    const int terms = count > 0 ? count : 1;
    const Vec divisor = Vec::of(mean ? float(terms) : 1.0f);
    forEachVector(table.size, [&](int d, int n) {
      Vec sum = Vec::zero();
      for (int e = 0; e < terms; e++) sum = sum + Vec::load(table.values + size_t(list[e]) * size_t(table.size) + d, n);
      (sum / divisor).store(to[i] + offset + d, n);
    });
  }
}

}  // namespace
}  // namespace limelight
