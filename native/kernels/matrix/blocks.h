#pragma once
#include "finish.h"
#include "later.h"

// A product in blocks that stay in the nearest cache: `rowTilesAtOnce` row tiles by `columnTilesAtOnce` column tiles,
// along k in pieces.

namespace limelight {
namespace {

constexpr int rowTilesAtOnce = 2;
constexpr int kTilesAtOnce = 8;

/// A piece of a term: sums[row tile][column tile] (+)= a[row tile, k] · b[k, column tile].
struct Piece {
  Format format;
  const std::byte* a;
  size_t aStride;  // bytes between row tiles
  const std::byte* b;
  size_t bStride;  // bytes between column tiles
  int kTiles;
  int rows;
  int columnTiles;
  bool first;  // the sums start here
  float* sums;  // u8: int32_t
};

template <void (*multiply)(const Piece&)>
void productInBlocks(const MatrixProduct& p) {
  constexpr int numbers = rowTilesAtOnce * columnTilesAtOnce * blockNumbers;
  alignas(64) float sums[numbers];
  alignas(64) int32_t integers[numbers];
  bool anyFloats = false, anyIntegers = false;
  for (int t = 0; t < p.termCount; t++) (p.terms[t].format == Format::u8 ? anyIntegers : anyFloats) = true;
  constexpr int blockRows = rowTilesAtOnce * tileRows, blockColumns = 16 * columnTilesAtOnce;
  Later later(p, (p.rows + blockRows - 1) / blockRows * ((p.columns + blockColumns - 1) / blockColumns));
  for (int row = 0; row < p.rows; row += rowTilesAtOnce * tileRows) {
    const int rows = lesser(p.rows - row, rowTilesAtOnce * tileRows);
    if (rows % tileRows != 0) {  // rows beyond the last are not multiplied; they shall be finite
      __builtin_memset(sums, 0, sizeof sums);
      __builtin_memset(integers, 0, sizeof integers);
    }
    for (int column = 0, columnTiles; column < p.columns; column += 16 * columnTiles) {
      later.step();
      const int left = (p.columns - column) / 16;
      columnTiles = left == 4 ? 2 : lesser(left, columnTilesAtOnce);  // rather 2 + 2 than 3 + 1
      bool firstFloats = true, firstIntegers = true;
      for (int t = 0; t < p.termCount; t++) {
        const MatrixTerm& term = p.terms[t];
        const size_t tile = tileBytes(term.format), stride = term.kTiles * tile;
        const std::byte* a = term.a + row / tileRows * stride;
        const std::byte* b = term.b + column / 16 * stride;
        const bool isU8 = term.format == Format::u8;
        float* to = isU8 ? reinterpret_cast<float*>(integers) : sums;
        bool& first = isU8 ? firstIntegers : firstFloats;
        for (int k = 0; k < term.kTiles; k += kTilesAtOnce) {
          const int kTiles = lesser(term.kTiles - k, kTilesAtOnce);
          multiply({term.format, a + k * tile, stride, b + k * tile, stride, kTiles, rows, columnTiles, first, to});
          first = false;
        }
      }
      for (int r = 0; r < rows; r += tileRows) {
        for (int c = 0; c < columnTiles; c++) {
          const int at = (r / tileRows * columnTilesAtOnce + c) * blockNumbers;
          finish(p, row + r, column + 16 * c, anyFloats ? sums + at : nullptr, anyIntegers ? integers + at : nullptr);
        }
      }
    }
  }
}

}  // namespace
}  // namespace limelight
