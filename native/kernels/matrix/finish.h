#pragma once
#include "../rows/tiles.h"
#include "times.h"

// What a product does with its sums: scale, bias, added rows, activation, and the formats that the next layer reads.

namespace limelight {
namespace {

/// Sums lie in blocks of 16 rows by 16 columns, the column blocks of one row tile side by side.
constexpr int blockNumbers = 256;
/// Column tiles that are multiplied together, at most: as many as the registers hold sums for.
#ifdef __AVX512F__
constexpr int columnTilesAtOnce = 3;
#else
constexpr int columnTilesAtOnce = 2;
#endif

/// 16 rows of one vector of columns, in registers.
struct Column {
  Vec y[tileRows];
};

__attribute__((noinline)) Vec sigmoidOf(Activation activation, Vec x) { return activated(activation, x); }

#ifdef __AVX512F__
/// Bytes of four rows at once: packing them saturates, where row by row each would be clamped and narrowed on its own.
LIMELIGHT_INLINE inline void storeBytes(std::byte* to, const Vec* y, Vec inverseScale, Vec zero) {
  // 255 first, so that NaN stays, becomes the least integer and then 0.
  const auto integers = [&](int r) LIMELIGHT_INLINE {
    return _mm512_cvtps_epi32(min(Vec::of(255.0f), fma(y[r], inverseScale, zero)).v);
  };
  const __m512i shorts01 = _mm512_packs_epi32(integers(0), integers(1));
  const __m512i shorts23 = _mm512_packs_epi32(integers(2), integers(3));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(shorts01, shorts23));
  times<4>([&](auto r) LIMELIGHT_INLINE {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + r * tileRowBytes), _mm512_extracti32x4_epi32(bytes, r));
  });
}
#endif

template <Format format>
LIMELIGHT_INLINE inline void writeColumn(const Column& x, const TileTarget& target, int row, int column) {
  constexpr int numbers = tileNumbers(format);
  const int at = target.column + column;
  std::byte* to = target.tiles + at % numbers * (tileRowBytes / numbers) +
                  (static_cast<size_t>(row / tileRows) * target.kTiles + at / numbers) * tileBytes(format);
  const Vec inverseScale = format == Format::u8 ? Vec::load(target.inverseScales + column) : Vec::zero();
  const Vec zero = Vec::of(static_cast<float>(target.zero));
#ifdef __AVX512F__
  if constexpr (format == Format::u8) {
    times<4>([&](auto i) LIMELIGHT_INLINE { storeBytes(to + 4 * i * tileRowBytes, x.y + 4 * i, inverseScale, zero); });
    return;
  }
#endif
  times<tileRows>([&](auto r) LIMELIGHT_INLINE {
    storeNumbers<format>(to + r * tileRowBytes, x.y[r], inverseScale, zero);
  });
}

/// Finishes the `Vec::lanes` columns from `column` on of the row tile from `row` on. `sums` and `integers` point at the
/// first of their rows, 16 numbers apart; one of them may be null.
inline void finishColumn(const MatrixProduct& p, int row, int column, const float* sums, const int32_t* integers) {
  Column x;
  const Vec bias = p.bias ? Vec::load(p.bias + column) : Vec::zero();
  if (sums) {
    times<tileRows>([&](auto r) LIMELIGHT_INLINE { x.y[r] = Vec::load(sums + r * 16) + bias; });
  } else {
    times<tileRows>([&](auto r) LIMELIGHT_INLINE { x.y[r] = bias; });
  }
  if (integers) {
    const Vec scale = Vec::load(p.scale + column);
    times<tileRows>([&](auto r) LIMELIGHT_INLINE { x.y[r] = fma(Vec::ofIntegers(integers + r * 16), scale, x.y[r]); });
  }
  const int real = lesser(tileRows, p.rows - row);
  if (p.added) {
    const float* const* added = p.added + row;
    times<tileRows>([&](auto r) LIMELIGHT_INLINE {
      if (r < real) x.y[r] = x.y[r] + Vec::load(added[r] + column);
    });
  }
  if (p.addedBf16) {
    const uint16_t* const* added = p.addedBf16 + row;
    times<tileRows>([&](auto r) LIMELIGHT_INLINE {
      if (r < real) x.y[r] = x.y[r] + Vec::loadBf16(added[r] + column);
    });
  }
  if (p.activation == Activation::relu) {
    times<tileRows>([&](auto r) LIMELIGHT_INLINE { x.y[r] = activated(Activation::relu, x.y[r]); });
  } else if (p.activation != Activation::linear) {
    times<tileRows>([&](auto r) LIMELIGHT_INLINE { x.y[r] = sigmoidOf(p.activation, x.y[r]); });
  }
  if (p.out) {
    float* out = p.out + static_cast<size_t>(row) * p.outStride + column;
    times<tileRows>([&](auto r) LIMELIGHT_INLINE {
      if (r < real) x.y[r].store(out + static_cast<size_t>(r) * p.outStride);
    });
  }
  for (int t = 0; t < p.tileTargets; t++) {
    const TileTarget& target = p.tiles[t];
    withFormat(target.format, [&]<Format format>() LIMELIGHT_INLINE { writeColumn<format>(x, target, row, column); });
  }
}

/// Finishes one block.
inline void finish(const MatrixProduct& p, int row, int column, const float* sums, const int32_t* integers) {
  for (int c = 0; c < 16; c += Vec::lanes) {
    finishColumn(p, row, column + c, sums ? sums + c : nullptr, integers ? integers + c : nullptr);
  }
}

}  // namespace
}  // namespace limelight
