#pragma once
#include "../rows/tiles.h"

// What a product does with its sums: scale, bias, added rows, activation, and the formats that the next layer reads.

namespace limelight {
namespace {

/// Sums lie in blocks of 16 rows by 16 columns, the column blocks of one row tile side by side.
constexpr int blockNumbers = 256;
/// Column tiles that are multiplied and finished together.
constexpr int columnTilesAtOnce = 2;

/// A part of a product whose sums are known: `rows` rows inside one row tile.
struct Finished {
  const MatrixProduct& product;
  int row;  // of the product
  int rows;
  int column;  // of the product, a multiple of 16
  int columnTiles;
  float* sums;  // of the first row and column; overwritten
  const int32_t* integers;  // likewise, or null; `sums` then counts only if `hasFloats`
  bool hasFloats;
};

/// y for one vector of columns of all rows.
template <bool integers, bool added>
inline void finishColumns(const Finished& f, int column, float* sums, const int32_t* integerSums) {
  const MatrixProduct& p = f.product;
  const Vec bias = p.bias ? Vec::load(p.bias + column) : Vec::zero();
  const Vec scale = integers ? Vec::load(p.scale + column) : Vec::zero();
  // max(a, b) is b where that is NaN, and so −∞ changes nothing.
  const Vec least = p.activation == Activation::relu ? Vec::zero() : Vec::of(-__builtin_inff());
  const int real = lesser(f.rows, p.rows - f.row);
  for (int r = 0; r < f.rows; r++) {
    Vec y = f.hasFloats ? Vec::load(sums + r * 16) + bias : bias;
    if constexpr (integers) y = fma(Vec::ofIntegers(integerSums + r * 16), scale, y);
    if constexpr (added) y = y + Vec::load(p.added[f.row + lesser(r, real - 1)] + column);
    max(least, y).store(sums + r * 16);
  }
  if (p.activation == Activation::sigmoid || p.activation == Activation::doubleSigmoid) {
    for (int r = 0; r < f.rows; r++) activated(p.activation, Vec::load(sums + r * 16)).store(sums + r * 16);
  }
  if (p.out) {
    float* out = p.out + static_cast<size_t>(f.row) * p.outStride + column;
    for (int r = 0; r < real; r++) Vec::load(sums + r * 16).store(out + static_cast<size_t>(r) * p.outStride);
  }
}

/// Writes one vector of columns of all rows.
template <Format format>
inline void writeColumns(const Finished& f, const TileTarget& target, int column, const float* sums) {
  constexpr int numbers = tileNumbers(format);
  const int at = target.column + column;
  std::byte* to = target.tiles + f.row % tileRows * tileRowBytes + at % numbers * (tileRowBytes / numbers) +
                  (static_cast<size_t>(f.row / tileRows) * target.kTiles + at / numbers) * tileBytes(format);
  const Vec inverseScale = format == Format::u8 ? Vec::load(target.inverseScales + column) : Vec::zero();
  const Vec zero = Vec::of(static_cast<float>(target.zero));
  for (int r = 0; r < f.rows; r++) storeNumbers<format>(to + r * tileRowBytes, Vec::load(sums + r * 16), inverseScale, zero);
}

inline void finish(const Finished& f) {
  for (int c = 0; c < 16 * f.columnTiles; c += Vec::lanes) {
    const int at = c / 16 * blockNumbers + c % 16;
    const bool added = f.product.added;
    if (f.integers) {
      (added ? finishColumns<true, true> : finishColumns<true, false>)(f, f.column + c, f.sums + at, f.integers + at);
    } else {
      (added ? finishColumns<false, true> : finishColumns<false, false>)(f, f.column + c, f.sums + at, nullptr);
    }
  }
  for (int t = 0; t < f.product.tileTargets; t++) {
    const TileTarget& target = f.product.tiles[t];
    withFormat(target.format, [&]<Format format>() {
      for (int c = 0; c < 16 * f.columnTiles; c += Vec::lanes) {
        writeColumns<format>(f, target, f.column + c, f.sums + c / 16 * blockNumbers + c % 16);
      }
    });
  }
}

}  // namespace
}  // namespace limelight
