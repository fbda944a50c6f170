#pragma once
#include <cmath>

#include "../simd.h"

// The right operand lies in blocks of 16 columns, each of tiles along k: a tile is 16 rows of 64 bytes, a row has 4 bytes a
// column: 1, 2 or 4 numbers that follow each other along k. `split` has two tiles, high and low parts. All instruction
// sets share it.

namespace limelight {
namespace {

inline size_t packedBytes(Format format, int k, int n) {
  return static_cast<size_t>(roundUp16(n) / 16) * tilesFor(format, k) * tileBytes(format);
}

/// bf16(x) and bf16(y) of each column as one 32-bit number, x's in the low half; sets both to what that leaves over.
inline void packPair(Vec& x, Vec& y, std::byte* out) {
  const Vec roundedX = roundBf16(x), roundedY = roundBf16(y);
  uint32_t low[Vec::lanes], pairs[Vec::lanes];
  roundedX.store(reinterpret_cast<float*>(low));
  roundedY.store(reinterpret_cast<float*>(pairs));
  // A bf16 number is the upper half of a float.
  for (int i = 0; i < Vec::lanes; i++) pairs[i] = (pairs[i] & 0xffff0000u) | low[i] >> 16;
  __builtin_memcpy(out, pairs, sizeof pairs);
  x = x - roundedX;
  y = y - roundedY;
}

inline Vec withinBf16(Vec x) {
  const float most = 3.3895313892515355e38f;
  return min(Vec::of(most), max(Vec::of(-most), x));
}

/// One row of a tile from `rows` rows of w, of which `n` columns exist; beyond these, zeros.
inline void packGroup(Format format, const float* w, size_t stride, int rows, int n, std::byte* out) {
  for (int c = 0; c < 16; c += Vec::lanes, out += 4 * Vec::lanes) {
    const int left = n - c;
    const auto part = [&](int row) {
      if (row >= rows || left <= 0) return Vec::zero();
      return left >= Vec::lanes ? Vec::load(w + row * stride + c) : Vec::load(w + row * stride + c, left);
    };
    Vec x = part(0);
    if (format == Format::f32) {
      x.store(reinterpret_cast<float*>(out));
      continue;
    }
    // Beyond the largest bf16 number a float would become infinite, and 0 times it NaN.
    x = withinBf16(x);
    Vec y = withinBf16(part(1));
    packPair(x, y, out);
    if (format == Format::split) packPair(x, y, out + 1024);
  }
}

void packRows(Format format, const float* w, int k, int n, size_t stride, std::byte* out) {
  const int group = format == Format::f32 ? 1 : 2;
  const int kTiles = tilesFor(format, k);
  for (int column = 0; column < n; column += 16) {
    for (int tile = 0; tile < kTiles; tile++, out += tileBytes(format)) {
      for (int g = 0; g < 16; g++) {
        const int row = (tile * 16 + g) * group;
        packGroup(format, w + row * stride + column, stride, k - row, n - column, out + g * 64);
      }
    }
  }
}

void packBytes(const float* w, int k, int n, size_t stride, const float* rowScale, std::byte* out, float* columnScale,
               float* columnSum) {
  const int kTiles = tilesFor(Format::u8, k);
  for (int column = 0; column < roundUp16(n); column++) {
    std::byte* tiles = out + static_cast<size_t>(column / 16) * kTiles * 1024 + column % 16 * 4;
    float largest = 0;
    if (column < n) {
      for (int row = 0; row < k; row++) {
        largest = std::fmax(largest, std::fabs(w[row * stride + column] * rowScale[row]));
      }
    }
    const float scale = largest / 127;
    int sum = 0;
    for (int row = 0; row < kTiles * 64; row++) {
      int q = 0;
      if (row < k && column < n && scale > 0) q = std::lrint(w[row * stride + column] * rowScale[row] / scale);
      q = q < -127 ? -127 : q > 127 ? 127 : q;
      sum += q;
      tiles[row / 4 * 64 + row % 4] = static_cast<std::byte>(static_cast<int8_t>(q));
    }
    if (column >= n) continue;
    columnScale[column] = scale;
    columnSum[column] = static_cast<float>(sum) * scale;
  }
}

void packWeights(Format format, const float* w, int k, int n, size_t stride, const float* rowScale, std::byte* out,
                 float* columnScale, float* columnSum) {
  if (format == Format::u8) return packBytes(w, k, n, stride, rowScale, out, columnScale, columnSum);
  packRows(format, w, k, n, stride, out);
}

}  // namespace
}  // namespace limelight
