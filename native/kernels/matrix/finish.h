#pragma once
#include "../rows/tiles.h"

// What a product does with its sums: scale, bias, added rows, activation, and the formats that the next layer reads.

namespace limelight {
namespace {

/// Sums lie in blocks of 16 rows by 16 columns, the column blocks of one row tile side by side.
constexpr int blockNumbers = 256;
/// Column tiles that are multiplied and finished together.
constexpr int columnTilesAtOnce = 2;

/// Finishes 16 · `columnTiles` columns of one row. `sums` and `integers` point at its numbers in the first block; one of them
/// may be null.
inline void finishRow(const MatrixProduct& p, int row, int column, int columnTiles, const float* sums,
                      const int32_t* integers) {
  const bool real = row < p.rows;
  const int vectors = 16 / Vec::lanes * columnTiles;
  Vec y[16 / Vec::lanes * columnTilesAtOnce];
  for (int i = 0; i < vectors; i++) {
    const int c = i * Vec::lanes, at = c / 16 * blockNumbers + c % 16;
    y[i] = sums ? Vec::load(sums + at) : Vec::zero();
    if (integers) y[i] = fma(Vec::ofIntegers(integers + at), Vec::load(p.scale + column + c), y[i]);
    if (p.bias) y[i] = y[i] + Vec::load(p.bias + column + c);
    if (p.added && real) y[i] = y[i] + Vec::load(p.added[row] + column + c);
    y[i] = activated(p.activation, y[i]);
    if (p.out && real) y[i].store(p.out + static_cast<size_t>(row) * p.outStride + column + c);
  }
  for (int t = 0; t < p.tileTargets; t++) {
    withFormat(p.tiles[t].format, [&]<Format format>() {
      const TileRow<format> to(p.tiles[t], row, p.columns);
      for (int i = 0; i < vectors; i++) to.put(column + i * Vec::lanes, y[i]);
    });
  }
}

}  // namespace
}  // namespace limelight
