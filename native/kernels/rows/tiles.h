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
    // Clamped before it is rounded: beyond 2³¹ the conversion to integers has no meaning. NaN becomes the least.
    const Vec scaled = max(x * inverseScale, Vec::zero() - zero);
    (min(scaled, Vec::of(255.0f) - zero) + zero).storeU8(reinterpret_cast<uint8_t*>(to));
  }
}

/// One row of a tile target.
template <Format format>
struct TileRow {
  static constexpr int numbers = tileNumbers(format);
  static constexpr int numberBytes = tileRowBytes / numbers;
  const TileTarget& target;
  std::byte* start;
  int width;  // numbers to be written

  TileRow(const TileTarget& tiles, int row, int width)
      : target(tiles),
        start(tiles.tiles + size_t(row / tileRows) * size_t(tiles.kTiles) * tileBytes(format) +
              row % tileRows * tileRowBytes),
        width(width) {}

  /// Writes a vector from number j on, j a multiple of `lanes`: it never straddles tiles.
  void put(int j, Vec x) const {
    const int column = target.column + j;
    std::byte* to = start + size_t(column / numbers) * tileBytes(format) + column % numbers * numberBytes;
    if constexpr (format == Format::u8) {
      storeNumbers<format>(to, x, scales(j), Vec::of(float(target.zero)));
    } else {
      storeNumbers<format>(to, x);
    }
  }

  /// Zeros from number j, a multiple of `lanes`, to the end of the tile.
  void zeros(int j) const {
    for (; (target.column + j) % numbers != 0; j += Vec::lanes) put(j, Vec::zero());
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

}  // namespace
}  // namespace limelight
