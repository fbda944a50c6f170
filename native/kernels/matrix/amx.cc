#include "pack.h"
#include "tables.h"
#include "vectors512.h"

// Products on AMX tiles: 32 rows by 32 columns of sums in four tiles, two tiles of each operand.
//   tmm0 tmm1    sums of the first row tile         tmm4 tmm5    row tiles
//   tmm2 tmm3    sums of the second                 tmm6 tmm7    column tiles

namespace limelight {
namespace {

#define SUM_TILES(f) \
  f(0, 0, 0);        \
  if constexpr (columnTiles == 2) f(1, 0, 1); \
  if constexpr (rowTiles == 2) f(2, 1, 0);    \
  if constexpr (rowTiles == 2 && columnTiles == 2) f(3, 1, 1)
#define ZERO_SUMS(tile, r, c) _tile_zero(tile)
#define LOAD_SUMS(tile, r, c) _tile_loadd(tile, sums + (r * columnTilesAtOnce + c) * blockNumbers, 64)
#define STORE_SUMS(tile, r, c) _tile_stored(tile, sums + (r * columnTilesAtOnce + c) * blockNumbers, 64)

template <int rowTiles>
inline void loadRows(const std::byte* a, size_t stride) {
  _tile_loadd(4, a, 64);
  if constexpr (rowTiles == 2) _tile_loadd(5, a + stride, 64);
}

template <int columnTiles>
inline void loadColumns(const std::byte* b, size_t stride) {
  _tile_loadd(6, b, 64);
  if constexpr (columnTiles == 2) _tile_loadd(7, b + stride, 64);
}

template <Format format, int rowTiles, int columnTiles>
inline void multiplyTiles() {
  if constexpr (format == Format::u8) {
    _tile_dpbusd(0, 4, 6);
    if constexpr (columnTiles == 2) _tile_dpbusd(1, 4, 7);
    if constexpr (rowTiles == 2) _tile_dpbusd(2, 5, 6);
    if constexpr (rowTiles == 2 && columnTiles == 2) _tile_dpbusd(3, 5, 7);
  } else {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (columnTiles == 2) _tile_dpbf16ps(1, 4, 7);
    if constexpr (rowTiles == 2) _tile_dpbf16ps(2, 5, 6);
    if constexpr (rowTiles == 2 && columnTiles == 2) _tile_dpbf16ps(3, 5, 7);
  }
}

template <Format format, int rowTiles, int columnTiles>
inline void multiplyBlock(const Piece& p, const std::byte* a, float* sums) {
  const std::byte* b = p.b;
  if (p.first) {
    SUM_TILES(ZERO_SUMS);
  } else {
    SUM_TILES(LOAD_SUMS);
  }
  for (int k = 0; k < p.kTiles; k++, a += tileBytes(format), b += tileBytes(format)) {
    if constexpr (format == Format::split) {  // lo·hi, hi·hi, hi·lo
      loadRows<rowTiles>(a + 1024, p.aStride);
      loadColumns<columnTiles>(b, p.bStride);
      multiplyTiles<format, rowTiles, columnTiles>();
      loadRows<rowTiles>(a, p.aStride);
      multiplyTiles<format, rowTiles, columnTiles>();
      loadColumns<columnTiles>(b + 1024, p.bStride);
    } else {
      loadRows<rowTiles>(a, p.aStride);
      loadColumns<columnTiles>(b, p.bStride);
    }
    multiplyTiles<format, rowTiles, columnTiles>();
  }
  SUM_TILES(STORE_SUMS);
}

template <Format format>
void multiplyTilePiece(const Piece& p) {
  for (int row = 0; row < p.rows; row += 2 * tileRows) {
    const std::byte* a = p.a + row / tileRows * p.aStride;
    float* sums = p.sums + row / tileRows * columnTilesAtOnce * blockNumbers;
    const bool two = p.rows - row > tileRows;
    if (p.columnTiles == 2) {
      two ? multiplyBlock<format, 2, 2>(p, a, sums) : multiplyBlock<format, 1, 2>(p, a, sums);
    } else {
      two ? multiplyBlock<format, 2, 1>(p, a, sums) : multiplyBlock<format, 1, 1>(p, a, sums);
    }
  }
}

void multiply(const Piece& piece) {
  if (piece.format == Format::f32) return multiplyPiece<Format::f32>(piece);
  if (piece.format == Format::bf16) return multiplyTilePiece<Format::bf16>(piece);
  if (piece.format == Format::u8) return multiplyTilePiece<Format::u8>(piece);
  multiplyTilePiece<Format::split>(piece);
}

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

const TileConfiguration configuration;

void begin() { _tile_loadconfig(&configuration); }

template <Format format>
uint64_t tileRounds(uint64_t rounds) {
  begin();
  for (uint64_t i = 0; i < rounds; i++) multiplyTiles<format, 2, 2>();
  _tile_release();
  return rounds * 4 * 16 * 16 * tileNumbers(format);
}

/// `split` counts each of its three products as a third.
uint64_t multiplyAdds(Format format, uint64_t rounds) {
  if (format == Format::f32) return multiplyAddRounds<Format::f32>(rounds);
  if (format == Format::u8) return tileRounds<Format::u8>(rounds);
  return tileRounds<Format::bf16>(rounds) / (format == Format::split ? 3 : 1);
}

}  // namespace

const MatrixKernels matrixAmx = {
    [](Format) { return true; }, packedBytes, packWeights, packRows, productInBlocks<multiply>, begin,
    [] { _tile_release(); }, multiplyAdds,
};

}  // namespace limelight
