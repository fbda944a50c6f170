#include "pack.h"
#include "tables.h"
#include "vectors512.h"

// Products on AMX tiles: 32 rows by 32 columns of sums in four tiles, two tiles of each operand.
//   tmm0 tmm1    sums of the first row tile         tmm4 tmm5    row tiles
//   tmm2 tmm3    sums of the second                 tmm6 tmm7    column tiles
// The row tiles of a block stay in the nearest cache (32 KiB at 512 bf16 numbers a row) while the right operand streams
// past them, loaded with the hint not to keep it. While a block is multiplied, the one before it is finished, part by part.

namespace limelight {
namespace {

/// Whether all that a product's blocks need is a bias, added rows, ReLU or nothing, and bf16 tiles: the plain hidden layer.
inline bool isPlain(const MatrixProduct& p) {
  if (p.out || p.tileTargets != 1 || p.tiles[0].format != Format::bf16) return false;
  if (p.tiles[0].column % 32 != 0) return false;
  for (int t = 0; t < p.termCount; t++)
    if (p.terms[t].format == Format::u8) return false;
  return p.activation == Activation::relu || p.activation == Activation::linear;
}

/// Finishes 16 rows of `blocks` · 32 columns of a plain product, row by row: what is added to a row is read at once. The
/// loop stays a loop: unrolled it is several times the code and no faster.
template <bool relu, int blocks>
inline void finishPlain(const MatrixProduct& p, int row, int column, const float* sums) {
  constexpr int vectors = 2 * blocks;
  const TileTarget& target = p.tiles[0];
  std::byte* to = target.tiles + (static_cast<size_t>(row / tileRows) * target.kTiles + (target.column + column) / 32) * 1024;
  const float* const* added = p.added ? p.added + row : nullptr;
  const uint16_t* const* addedBf16 = p.addedBf16 ? p.addedBf16 + row : nullptr;
  const __m512 zero = _mm512_setzero_ps();
  __m512 bias[vectors], y[vectors];
  times<vectors>([&](auto c) LIMELIGHT_INLINE { bias[c] = p.bias ? _mm512_loadu_ps(p.bias + column + 16 * c) : zero; });
  const auto finishRow = [&](int r, bool isReal) LIMELIGHT_INLINE {
    times<vectors>([&](auto c) LIMELIGHT_INLINE {
      y[c] = _mm512_add_ps(bias[c], _mm512_load_ps(sums + c * blockNumbers + r * 16));
    });
    if (isReal && added) {
      const float* x = added[r] + column;
      times<vectors>([&](auto c) LIMELIGHT_INLINE { y[c] = _mm512_add_ps(y[c], _mm512_loadu_ps(x + 16 * c)); });
    }
    if (isReal && addedBf16) {
      const uint16_t* x = addedBf16[r] + column;
      times<vectors>([&](auto c) LIMELIGHT_INLINE { y[c] = _mm512_add_ps(y[c], Vec::loadBf16(x + 16 * c).v); });
    }
    if constexpr (relu)  // in this order, so that NaN stays
      times<vectors>([&](auto c) LIMELIGHT_INLINE { y[c] = _mm512_max_ps(zero, y[c]); });
    times<blocks>([&](auto b) LIMELIGHT_INLINE {
      const auto numbers = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y[2 * b + 1], y[2 * b]));
      _mm512_storeu_si512(to + b * 1024 + r * tileRowBytes, numbers);
    });
  };
  const int real = lesser(tileRows, p.rows - row);
#pragma GCC unroll 1
  for (int r = 0; r < real; r++) finishRow(r, true);
  for (int r = real; r < tileRows; r++) finishRow(r, false);
}

template <int blocks>
inline void finishPlain(const MatrixProduct& p, int row, int column, const float* sums) {
  p.activation == Activation::relu ? finishPlain<true, blocks>(p, row, column, sums) : finishPlain<false, blocks>(p, row, column, sums);
}

/// The finishing of the parts of a block, a part every `interval` steps: 16 × 16 numbers, of a plain product 16 × 32.
struct Rest {
  const MatrixProduct& product;
  const float* sums;
  const int32_t* integers;
  bool plain;
  int steps;  // along k of a block
  Later later;
  int row = 0, column = 0, columnTiles = 1;
  int interval = 1;
  int next = 0, parts = 0;
  int step = 0;

  /// A block has been multiplied.
  void begin(int itsRow, int itsColumn, int rowTiles, int itsColumnTiles) {
    row = itsRow;
    column = itsColumn;
    columnTiles = itsColumnTiles;
    parts = isWide() ? rowTiles : rowTiles * columnTiles;
    interval = steps < parts ? 1 : steps / parts;
    next = step = 0;
  }

  bool isWide() const { return plain && columnTiles == 2; }

  void advance() {
    later.step();
    finishNext();
  }

  void finishNext() {
    if (next == parts || ++step < interval) return;
    step = 0;
    finishPart();
    next++;
  }

  void finishPart() const {
    if (isWide()) {
      const float* part = sums + next * columnTilesAtOnce * blockNumbers;
      return finishPlain<1>(product, row + next * tileRows, column, part);
    }
    const int r = next / columnTiles, c = next % columnTiles, at = (r * columnTilesAtOnce + c) * blockNumbers;
    finish(product, row + r * tileRows, column + c * 16, sums ? sums + at : nullptr, integers ? integers + at : nullptr);
  }

  void complete() {
    while (next < parts) {
      step = interval;
      finishNext();
    }
  }
};

template <int rowTiles>
inline void loadRows(const std::byte* a, size_t stride) {
  _tile_loadd(4, a, 64);
  if constexpr (rowTiles == 2) _tile_loadd(5, a + stride, 64);
}

template <int columnTiles>
inline void loadColumns(const std::byte* b, size_t stride) {
  _tile_stream_loadd(6, b, 64);
  if constexpr (columnTiles == 2) _tile_stream_loadd(7, b + stride, 64);
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

inline void zeroSums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

template <int rowTiles, int columnTiles>
inline void storeSums(void* sums, size_t rowTileBytes = columnTilesAtOnce * 1024) {
  std::byte* to = static_cast<std::byte*>(sums);
  _tile_stored(0, to, 64);
  if constexpr (columnTiles == 2) _tile_stored(1, to + 1024, 64);
  if constexpr (rowTiles == 2) _tile_stored(2, to + rowTileBytes, 64);
  if constexpr (rowTiles == 2 && columnTiles == 2) _tile_stored(3, to + rowTileBytes + 1024, 64);
}

template <Format format, int rowTiles, int columnTiles>
inline void multiplyTerm(const MatrixTerm& term, int row, int column, Rest& rest) {
  const size_t stride = term.kTiles * tileBytes(format);
  const std::byte* a = term.a + row / tileRows * stride;
  const std::byte* b = term.b + column / 16 * stride;
  for (int k = 0; k < term.kTiles; k++, a += tileBytes(format), b += tileBytes(format)) {
    if constexpr (format == Format::split) {  // lo·hi, hi·hi, hi·lo
      loadRows<rowTiles>(a + 1024, stride);
      loadColumns<columnTiles>(b, stride);
      multiplyTiles<format, rowTiles, columnTiles>();
      loadRows<rowTiles>(a, stride);
      multiplyTiles<format, rowTiles, columnTiles>();
      loadColumns<columnTiles>(b + 1024, stride);
    } else {
      loadRows<rowTiles>(a, stride);
      loadColumns<columnTiles>(b, stride);
    }
    multiplyTiles<format, rowTiles, columnTiles>();
    rest.advance();
  }
}

/// The terms that a product has of each kind, the steps along k of its first kind, in which the block before is finished,
/// and those of all that are multiplied here.
struct Kinds {
  bool integers = false, tiles = false, f32 = false;
  int steps = 0, allSteps = 0;

  explicit Kinds(const MatrixProduct& p) {
    for (int t = 0; t < p.termCount; t++) {
      const Format format = p.terms[t].format;
      (format == Format::u8 ? integers : format == Format::f32 ? f32 : tiles) = true;
    }
    for (int t = 0; t < p.termCount; t++) {
      const Format format = p.terms[t].format;
      if (format != Format::f32) allSteps += p.terms[t].kTiles;
      if ((format == Format::u8) == integers && format != Format::f32) steps += p.terms[t].kTiles;
    }
  }
};

template <int rowTiles, int columnTiles>
void multiplyBlock(const MatrixProduct& p, const Kinds& kinds, int row, int column, float* sums, int32_t* integers,
                   Rest& rest) {
  zeroSums();
  if (kinds.integers) {
    for (int t = 0; t < p.termCount; t++) {
      const MatrixTerm& term = p.terms[t];
      if (term.format == Format::u8) multiplyTerm<Format::u8, rowTiles, columnTiles>(term, row, column, rest);
    }
    rest.complete();
    storeSums<rowTiles, columnTiles>(integers);
    if (kinds.tiles) zeroSums();
  }
  if (kinds.tiles) {
    for (int t = 0; t < p.termCount; t++) {
      const MatrixTerm& term = p.terms[t];
      if (term.format == Format::bf16) multiplyTerm<Format::bf16, rowTiles, columnTiles>(term, row, column, rest);
      if (term.format == Format::split) multiplyTerm<Format::split, rowTiles, columnTiles>(term, row, column, rest);
    }
    rest.complete();
    storeSums<rowTiles, columnTiles>(sums);
  }
  bool first = !kinds.tiles;
  for (int t = 0; t < p.termCount; t++) {
    const MatrixTerm& term = p.terms[t];
    if (term.format != Format::f32) continue;
    const size_t stride = term.kTiles * tileBytes(Format::f32);
    multiplyPiece<Format::f32>({Format::f32, term.a + row / tileRows * stride, stride, term.b + column / 16 * stride,
                                stride, term.kTiles, rowTiles * tileRows, columnTiles, first, sums});
    first = false;
  }
}

void productInTiles(const MatrixProduct& p, const Kinds& kinds) {
  const int blocks = (p.rows + 31) / 32 * ((p.columns + 31) / 32);
  alignas(64) float sums[2 * columnTilesAtOnce * blockNumbers];
  alignas(64) int32_t integers[2 * columnTilesAtOnce * blockNumbers];
  Rest rest{p, kinds.tiles || kinds.f32 ? sums : nullptr, kinds.integers ? integers : nullptr, isPlain(p), kinds.steps, Later(p, blocks * kinds.allSteps)};
  for (int row = 0; row < p.rows; row += 2 * tileRows) {
    const bool twoRows = p.rows - row > tileRows;
    for (int column = 0; column < p.columns; column += 32) {
      const bool twoColumns = p.columns - column > 16;
      const auto multiply = twoRows ? (twoColumns ? multiplyBlock<2, 2> : multiplyBlock<2, 1>)
                                    : (twoColumns ? multiplyBlock<1, 2> : multiplyBlock<1, 1>);
      multiply(p, kinds, row, column, sums, integers, rest);
      rest.begin(row, column, twoRows ? 2 : 1, twoColumns ? 2 : 1);
    }
  }
  rest.complete();
}

/// bf16 products of few steps and columns, whose right operand stays in the nearest cache: all columns of 32 rows are multiplied,
/// then finished. With so little to multiply, finishing beside it gains nothing (storing sums takes the vector units too),
/// and what is decided anew for each term and part shows. Three steps: 39 to 34 μs for 2,500 rows of 64 columns; slower from six on.
constexpr int fewSteps = 4;

bool isSmall(const MatrixProduct& p, const Kinds& kinds) {
  if (kinds.allSteps > fewSteps) return false;
  if (p.columns != 16 && !((p.columns == 32 || p.columns == 64) && isPlain(p))) return false;
  for (int t = 0; t < p.termCount; t++)
    if (p.terms[t].format != Format::bf16) return false;
  return true;
}

/// What is multiplied in a step: tiles of the first row tile and of the first column tile, and what the next ones are apart.
struct Step {
  const std::byte* a;
  const std::byte* b;
  size_t stride;
};

template <int rowTiles, int columnTiles>
inline void multiplySteps(const Step* steps, int count, int row, int column, float* sums, size_t rowTileBytes, Later& later) {
  zeroSums();
  for (const Step* s = steps; s < steps + count; s++) {
    const std::byte* b = s->b + column / 16 * s->stride;
    loadRows<rowTiles>(s->a + row / tileRows * s->stride, s->stride);
    _tile_loadd(6, b, 64);
    if constexpr (columnTiles == 2) _tile_loadd(7, b + s->stride, 64);
    multiplyTiles<Format::bf16, rowTiles, columnTiles>();
    later.step();
  }
  storeSums<rowTiles, columnTiles>(sums, rowTileBytes);
}

template <int columnTiles>
void smallProduct(const MatrixProduct& p) {
  constexpr int blocks = (columnTiles + 1) / 2, atOnce = lesser(columnTiles, 2), sumsOfRowTile = columnTiles * blockNumbers;
  alignas(64) float sums[2 * sumsOfRowTile];
  Step steps[fewSteps];
  int count = 0;
  for (int t = 0; t < p.termCount; t++) {
    const auto& [a, b, kTiles, format] = p.terms[t];
    for (int k = 0; k < kTiles; k++) steps[count++] = {a + k * 1024, b + k * 1024, static_cast<size_t>(kTiles) * 1024};
  }
  Later later(p, (p.rows + 31) / 32 * blocks * count);
  for (int row = 0; row < p.rows; row += 2 * tileRows) {
    const bool twoRows = p.rows - row > tileRows;
    const auto multiply = twoRows ? multiplySteps<2, atOnce> : multiplySteps<1, atOnce>;
    for (int b = 0; b < blocks; b++)
      multiply(steps, count, row, 32 * b, sums + 2 * b * blockNumbers, sumsOfRowTile * sizeof(float), later);
    for (int r = 0; r < 1 + twoRows; r++) {
      const float* of = sums + r * sumsOfRowTile;
      if constexpr (columnTiles == 1) {
        finish(p, row + r * tileRows, 0, of, nullptr);
      } else {
        finishPlain<blocks>(p, row + r * tileRows, 0, of);
      }
    }
  }
}

void product(const MatrixProduct& p) {
  const Kinds kinds(p);
  if (kinds.steps == 0) return productInBlocks<multiplyPiece<Format::f32>>(p);
  if (isSmall(p, kinds)) {
    if (p.columns == 16) return smallProduct<1>(p);
    if (p.columns == 32) return smallProduct<2>(p);
    return smallProduct<4>(p);
  }
  productInTiles(p, kinds);
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
    [](Format) { return true; }, packedBytes, packWeights, packRows, product, begin,
    [] { _tile_release(); }, multiplyAdds,
};

}  // namespace limelight
