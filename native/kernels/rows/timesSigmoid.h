#pragma once
#include "numbers.h"

namespace limelight {
namespace {

inline void timesSigmoid(int rows, const float* const* x, float* p) {
  forEachVector(rows, [&](int i, int m) {
    float logits[Vec::lanes] = {};
    for (int l = 0; l < m; l++) logits[l] = x[i + l][0];
    (Vec::load(p + i, m) * sigmoid(Vec::load(logits))).store(p + i, m);
  });
}

}  // namespace
}  // namespace limelight
