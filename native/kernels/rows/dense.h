#pragma once
#include "numbers.h"

namespace limelight {
namespace {

/// y = act(x·W + b + added), as in RowKernels.
struct Dense {
  const float* const* x;
  int k;
  const float* w;
  const float* b;
  const float* const* added;
  int n;
  Activation activation;
  float* const* y;
};

constexpr int vectorRegisters = Vec::lanes == 8 ? 16 : 32;

/// Rows `row` to row + R, columns `column` to column + C · lanes (not `whole`: the first `width` of one vector),
/// summed in registers.
template <int R, int C, bool whole>
inline void denseBlock(const Dense& dense, int row, int column, int width) {
  const auto load = [width](const float* p) { return whole ? Vec::load(p) : Vec::load(p, width); };
  const int k = dense.k;
  const size_t stride = size_t(dense.n);
  const float* x[R];
  Vec sums[R][C];
  for (int r = 0; r < R; r++) {
    x[r] = dense.x[row + r];
    for (int c = 0; c < C; c++) sums[r][c] = Vec::zero();
  }
  const float* w = dense.w + column;
  for (int i = 0; i < k; i++, w += stride) {
    for (int c = 0; c < C; c++) {
      const Vec weights = load(w + c * Vec::lanes);
      for (int r = 0; r < R; r++) sums[r][c] = fma(Vec::of(x[r][i]), weights, sums[r][c]);
    }
  }
  // max(a, b) is b where that is NaN, and so −∞ changes nothing.
  const Vec least = dense.activation == Activation::relu ? Vec::zero() : Vec::of(-__builtin_inff());
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    float* y = dense.y[row + r] + column;
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) {
      const int at = c * Vec::lanes;
      Vec sum = sums[r][c];
      if (dense.b) sum = sum + load(dense.b + column + at);
      if (dense.added) sum = sum + load(dense.added[row + r] + column + at);
      whole ? max(least, sum).store(y + at) : max(least, sum).store(y + at, width);
    }
  }
}

/// Columns from `column` on, C vectors at a time, then half as many, …
template <int R, int C>
inline void denseColumns(const Dense& dense, int row, int column) {
  for (; column + C * Vec::lanes <= dense.n; column += C * Vec::lanes) {
    denseBlock<R, C, true>(dense, row, column, Vec::lanes);
  }
  if constexpr (C > 1) {
    denseColumns<R, C / 2>(dense, row, column);
  } else if (column < dense.n) {
    denseBlock<R, 1, false>(dense, row, column, dense.n - column);
  }
}

/// One column: products along k, the sums of as many rows at a time as there are lanes.
inline void denseToNumber(const Dense& dense, int from, int to) {
  for (int first = from; first < to; first += Vec::lanes) {
    const int count = lesser(Vec::lanes, to - first);
    const float* x[Vec::lanes];
    Vec sums[Vec::lanes];
    float added[Vec::lanes] = {};
    for (int l = 0; l < Vec::lanes; l++) {
      x[l] = dense.x[first + lesser(l, count - 1)];
      sums[l] = Vec::zero();
      if (dense.added && l < count) added[l] = dense.added[first + l][0];
    }
    forEachVector(dense.k, [&](int k, int n) {
      const Vec weights = Vec::load(dense.w + k, n);
      for (int l = 0; l < Vec::lanes; l++) sums[l] = fma(Vec::load(x[l] + k, n), weights, sums[l]);
    });
    Vec y = sumsOf(sums) + Vec::load(added);
    if (dense.b) y = y + Vec::of(dense.b[0]);
    float numbers[Vec::lanes];
    activated(dense.activation, y).store(numbers);
    for (int l = 0; l < count; l++) dense.y[first + l][0] = numbers[l];
  }
}

inline void denseRows(const Dense& dense, int from, int to) {
  if (dense.n == 1) return denseToNumber(dense, from, to);
  int row = from;
  for (; row + 8 <= to; row += 8) denseColumns<8, vectorRegisters / 16>(dense, row, 0);
  for (; row + 4 <= to; row += 4) denseColumns<4, vectorRegisters / 8>(dense, row, 0);
  for (; row < to; row++) denseColumns<1, vectorRegisters / 2>(dense, row, 0);
  if (dense.activation == Activation::sigmoid || dense.activation == Activation::doubleSigmoid) {
    activate(to - from, dense.y + from, dense.n, dense.activation);
  }
}

inline void dense(int rows, const float* const* x, int k, const float* w, const float* b, const float* const* added,
                  int n, Activation activation, float* const* y) {
  denseRows({x, k, w, b, added, n, activation, y}, 0, rows);
}

inline void projectFields(const float* x, const int* sizes, int fields, const float* w, int n, float* y) {
  for (int f = 0; f < fields; f++) {
    denseRows({&x, sizes[f], w, nullptr, nullptr, n, Activation::linear, &y}, 0, 1);
    x += sizes[f];
    w += size_t(sizes[f]) * size_t(n);
    y += n;
  }
}

/// Rows next to each other that share their fields, as a request's candidates do, are one product.
inline void gatedSum(int rows, const float* const* gates, const float* const* p, int fields, int n, bool accumulate,
                     float* const* y) {
  for (int from = 0, to = 0; from < rows; from = to) {
    while (to < rows && p[to] == p[from]) to++;
    denseRows({gates, fields, p[from], nullptr, accumulate ? y : nullptr, n, Activation::linear, y}, from, to);
  }
}

}  // namespace
}  // namespace limelight
