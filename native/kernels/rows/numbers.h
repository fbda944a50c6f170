#pragma once
#include "tiles.h"

namespace limelight {
namespace {

/// Calls `body(j, n)` for each vector of n numbers from j on; `n` is a constant but for the last.
template <class Body>
inline void forEachVector(int width, Body body) {
  int j = 0;
  for (; j + Vec::lanes <= width; j += Vec::lanes) body(j, Vec::lanes);
  if (j < width) body(j, width - j);
}

inline void activate(int rows, float* const* x, int n, Activation activation) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { activated(activation, Vec::load(x[i] + j, m)).store(x[i] + j, m); });
  }
}

inline void add(int rows, const float* const* a, const float* const* b, int n, float* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { (Vec::load(a[i] + j, m) + Vec::load(b[i] + j, m)).store(y[i] + j, m); });
  }
}

inline void addWidened(int rows, const float* const* a, const uint16_t* const* b, int n, float* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { (Vec::load(a[i] + j, m) + Vec::loadBf16(b[i] + j, m)).store(y[i] + j, m); });
  }
}

template <bool bIsBf16>
inline void multiplyRows(int rows, const float* const* a, const void* const* b, int n, float* const* out,
                         const TileTarget* tiles) {
  const auto product = [=](int i, int j, int m) { return Vec::load(a[i] + j, m) * loadNumbers<bIsBf16>(b[i], j, m); };
  for (int i = 0; out && i < rows; i++) {
    forEachVector(n, [&](int j, int m) { product(i, j, m).store(out[i] + j, m); });
  }
  if (tiles) putInTiles(rows, n, *tiles, product);
}

inline void multiply(int rows, const float* const* a, const void* const* b, bool bIsBf16, int n, float* const* out,
                     const TileTarget* tiles) {
  if (bIsBf16) return multiplyRows<true>(rows, a, b, n, out, tiles);
  multiplyRows<false>(rows, a, b, n, out, tiles);
}

inline void multiplyAdd(int rows, const float* const* a, const float* const* b, const float* const* c, int n,
                        float* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) {
      fma(Vec::load(a[i] + j, m), Vec::load(b[i] + j, m), Vec::load(c[i] + j, m)).store(y[i] + j, m);
    });
  }
}

inline void sum(int rows, const float* const* x, int n, float* y) {
  for (int i = 0; i < rows; i++) {
    Vec sum = Vec::zero();
    forEachVector(n, [&](int j, int m) { sum = sum + Vec::load(x[i] + j, m); });
    y[i] += sumLanes(sum);
  }
}

inline void copy(int rows, const float* const* x, int n, float* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { Vec::load(x[i] + j, m).store(y[i] + j, m); });
  }
}

inline void narrow(int rows, const float* const* x, int n, uint16_t* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { Vec::load(x[i] + j, m).storeBf16(y[i] + j, m); });
  }
}

inline void widen(int rows, const uint16_t* const* x, int n, float* const* y) {
  for (int i = 0; i < rows; i++) {
    forEachVector(n, [&](int j, int m) { Vec::loadBf16(x[i] + j, m).store(y[i] + j, m); });
  }
}

}  // namespace
}  // namespace limelight
