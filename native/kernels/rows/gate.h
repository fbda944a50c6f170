#pragma once
#include "tiles.h"

namespace limelight {
namespace {

template <bool xIsBf16>
inline Vec loadNumbers(const void* x, size_t from) {
  if constexpr (xIsBf16) return Vec::loadBf16(static_cast<const uint16_t*>(x) + from);
  return Vec::load(static_cast<const float*>(x) + from);
}

template <bool xIsBf16>
inline Vec loadNumbers(const void* x, size_t from, int n) {
  if constexpr (xIsBf16) return Vec::loadBf16(static_cast<const uint16_t*>(x) + from, n);
  return Vec::load(static_cast<const float*>(x) + from, n);
}

template <bool xIsBf16>
inline void gateToRow(const void* x, const float* gates, const int* sizes, int fields, float* out) {
  int from = 0;
  for (int f = 0; f < fields; from += sizes[f++]) {
    const Vec gate = Vec::of(gates[f]);
    int d = 0;
    for (; d + Vec::lanes <= sizes[f]; d += Vec::lanes) (gate * loadNumbers<xIsBf16>(x, from + d)).store(out + from + d);
    const int rest = sizes[f] - d;
    if (rest > 0) (gate * loadNumbers<xIsBf16>(x, from + d, rest)).store(out + from + d, rest);
  }
}

/// For fields of whole vectors.
template <bool xIsBf16, Format format>
inline void gateToTiles(const void* x, const float* gates, const int* sizes, int fields, TileRow<format> row) {
  int j = 0;
  for (int f = 0; f < fields; f++) {
    const Vec gate = Vec::of(gates[f]);
    for (const int end = j + sizes[f]; j < end; j += Vec::lanes) row.put(j, gate * loadNumbers<xIsBf16>(x, j));
  }
  row.zeros(j);
}

/// For fields of any size: gated numbers are gathered in a buffer of whole vectors.
template <bool xIsBf16, Format format>
inline void gateAnyToTiles(const void* x, const float* gates, const int* sizes, int fields, TileRow<format> row) {
  float buffer[64];
  int filled = 0, written = 0;
  for (int f = 0; f < fields; f++) {
    const Vec gate = Vec::of(gates[f]);
    for (int d = 0; d < sizes[f];) {
      const int n = lesser(Vec::lanes, lesser(sizes[f] - d, 64 - filled));
      (gate * loadNumbers<xIsBf16>(x, written + filled, n)).store(buffer + filled, n);
      d += n;
      filled += n;
      if (filled < 64) continue;
      for (int j = 0; j < 64; j += Vec::lanes) row.put(written + j, Vec::load(buffer + j));
      written += 64;
      filled = 0;
    }
  }
  for (int j = 0; j < filled; j += Vec::lanes) {
    row.put(written, Vec::load(buffer + j, lesser(Vec::lanes, filled - j)));
    written += Vec::lanes;
  }
  row.zeros(written);
}

template <bool xIsBf16>
inline void gateRows(int rows, const void* const* x, const float* const* gates, const int* sizes, int fields,
                     float* const* out, const TileTarget* tiles) {
  if (out) {
    for (int i = 0; i < rows; i++) gateToRow<xIsBf16>(x[i], gates[i], sizes, fields, out[i]);
  }
  if (!tiles) return;
  int width = 0;
  bool whole = true;
  for (int f = 0; f < fields; f++) {
    width += sizes[f];
    whole = whole && sizes[f] % Vec::lanes == 0;
  }
  withFormat(tiles->format, [&]<Format format>() {
    for (int i = 0; i < rows; i++) {
      const TileRow<format> row(*tiles, i, width);
      if (whole) {
        gateToTiles<xIsBf16, format>(x[i], gates[i], sizes, fields, row);
      } else {
        gateAnyToTiles<xIsBf16, format>(x[i], gates[i], sizes, fields, row);
      }
    }
  });
}

inline void gate(int rows, const void* const* x, bool xIsBf16, const float* const* gates, const int* sizes, int fields,
                 float* const* out, const TileTarget* tiles) {
  if (xIsBf16) return gateRows<true>(rows, x, gates, sizes, fields, out, tiles);
  gateRows<false>(rows, x, gates, sizes, fields, out, tiles);
}

}  // namespace
}  // namespace limelight
