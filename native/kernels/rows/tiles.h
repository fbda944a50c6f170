#pragma once
#include "../simd.h"

namespace limelight {
namespace {

constexpr int lesser(int a, int b) { return a < b ? a : b; }

/// A vector as numbers of a tile; `inverseScale` and `zero` are those of u8.
template <Format format>
inline void storeNumbers(std::byte* to, Vec x, Vec inverseScale = Vec::zero(), Vec zero = Vec::zero()) {
  if constexpr (format == Format::f32) {
    x.store(reinterpret_cast<float*>(to));
  } else if constexpr (format == Format::bf16) {
    x.storeBf16(reinterpret_cast<uint16_t*>(to));
  } else if constexpr (format == Format::split) {
    x.storeBf16(reinterpret_cast<uint16_t*>(to));
    (x - roundBf16(x)).storeBf16(reinterpret_cast<uint16_t*>(to + 1024));
  } else {
    // Clamped before it is rounded: beyond 2³¹ the conversion to integers has no meaning. NaN becomes 0.
    min(max(fma(x, inverseScale, zero), Vec::zero()), Vec::of(255.0f)).storeU8(reinterpret_cast<uint8_t*>(to));
  }
}

/// Up to 16 rows of a tile target, in one row tile.
template <Format format>
struct TileRows {
  static constexpr int numbers = tileNumbers(format);
  static constexpr int numberBytes = tileRowBytes / numbers;
  const TileTarget& target;
  std::byte* start;
  int rows;
  int width;  // numbers to be written

  /// @param first of the rows, a multiple of 16
  TileRows(const TileTarget& target, int first, int rows, int width)
      : target(target),
        start(target.tiles + size_t(first / tileRows) * size_t(target.kTiles) * tileBytes(format)),
        rows(rows),
        width(width) {}

  /// Writes the vector `numbersOf(r)` of each row r from number j on, a multiple of `lanes`: it never straddles tiles.
  template <class NumbersOf>
  void put(int j, NumbersOf numbersOf) const {
    const int column = target.column + j;
    std::byte* to = start + size_t(column / numbers) * tileBytes(format) + column % numbers * numberBytes;
    const Vec inverseScales = format == Format::u8 ? scales(j) : Vec::zero();
    const Vec zero = Vec::of(float(target.zero));
    for (int r = 0, count = rows; r < count; r++) {
      storeNumbers<format>(to + r * tileRowBytes, numbersOf(r), inverseScales, zero);
    }
  }

  /// Zeros from number j, a multiple of `lanes`, to the end of the tile.
  void zeros(int j) const {
    for (; (target.column + j) % numbers != 0; j += Vec::lanes) put(j, [](int) { return Vec::zero(); });
  }

 private:
  Vec scales(int j) const {
    if (j + Vec::lanes <= width) return Vec::load(target.inverseScales + j);
    return j < width ? Vec::load(target.inverseScales + j, width - j) : Vec::zero();
  }
};

/// Calls `body.template operator()<format>()` for a format known at run time.
template <class Body>
inline void withFormat(Format format, Body body) {
  switch (format) {
    case Format::f32:
      return body.template operator()<Format::f32>();
    case Format::bf16:
      return body.template operator()<Format::bf16>();
    case Format::split:
      return body.template operator()<Format::split>();
    case Format::u8:
      return body.template operator()<Format::u8>();
  }
}

/// Rows of n numbers: vectors `numbersOf(row, j, m)` of m numbers from j on, zeros after the last.
template <class NumbersOf>
inline void putInTiles(int rows, int n, const TileTarget& tiles, NumbersOf numbersOf) {
  withFormat(tiles.format, [&]<Format format>() {
    for (int first = 0; first < rows; first += tileRows) {
      const TileRows<format> to(tiles, first, lesser(tileRows, rows - first), n);
      int j = 0;
      for (; j + Vec::lanes <= n; j += Vec::lanes) to.put(j, [=](int r) { return numbersOf(first + r, j, Vec::lanes); });
      if (j < n) {
        to.put(j, [=](int r) { return numbersOf(first + r, j, n - j); });
        j += Vec::lanes;
      }
      to.zeros(j);
    }
  });
}

/// m numbers, f32 or bf16.
template <bool isBf16>
inline Vec loadNumbers(const void* x, int from, int m) {
  if constexpr (isBf16) return Vec::loadBf16(static_cast<const uint16_t*>(x) + from, m);
  return Vec::load(static_cast<const float*>(x) + from, m);
}

}  // namespace
}  // namespace limelight
