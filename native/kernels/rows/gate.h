#pragma once
#include "tiles.h"

namespace limelight {
namespace {

template <bool xIsBf16>
inline void gateToRow(const void* x, const float* gates, const int* sizes, int fields, float* out) {
  int from = 0;
  for (int f = 0; f < fields; from += sizes[f++]) {
    const Vec gate = Vec::of(gates[f]);
    int d = 0;
    for (; d + Vec::lanes <= sizes[f]; d += Vec::lanes) {
      (gate * loadNumbers<xIsBf16>(x, from + d, Vec::lanes)).store(out + from + d);
    }
    const int rest = sizes[f] - d;
    if (rest > 0) (gate * loadNumbers<xIsBf16>(x, from + d, rest)).store(out + from + d, rest);
  }
}

/// For fields of whole vectors.
template <bool xIsBf16, Format format>
inline void gateToTiles(const void* const* x, const float* const* gates, const int* sizes, int fields,
                        const TileRows<format>& to) {
  int j = 0;
  for (int f = 0; f < fields; f++) {
    for (const int end = j + sizes[f]; j < end; j += Vec::lanes) {
      to.put(j, [=](int r) { return Vec::of(gates[r][f]) * loadNumbers<xIsBf16>(x[r], j, Vec::lanes); });
    }
  }
  to.zeros(j);
}

/// For fields of any size: the gated numbers of some whole vectors are put together in a buffer.
template <bool xIsBf16, Format format>
inline void gateAnyToTiles(const void* const* x, const float* const* gates, const int* sizes,
                           const TileRows<format>& to) {
  constexpr int bufferNumbers = 64;
  float buffer[tileRows][bufferNumbers] = {};
  int field = 0, done = 0;  // where the buffer's first number is: a field, and how many of its numbers come before
  for (int first = 0; first < to.width; first += bufferNumbers) {
    const int count = lesser(bufferNumbers, to.width - first);
    int f = field, d = done;
    for (int r = 0; r < to.rows; r++) {
      f = field, d = done;
      for (int filled = 0; filled < count;) {
        const int n = lesser(Vec::lanes, lesser(sizes[f] - d, count - filled));
        const Vec y = Vec::of(gates[r][f]) * loadNumbers<xIsBf16>(x[r], first + filled, n);
        y.store(buffer[r] + filled, n);
        filled += n;
        if ((d += n) == sizes[f]) f++, d = 0;
      }
    }
    field = f, done = d;
    for (int j = 0; j < count; j += Vec::lanes) {
      to.put(first + j, [&](int r) { return Vec::load(buffer[r] + j, lesser(Vec::lanes, count - j)); });
    }
  }
  to.zeros((to.width + Vec::lanes - 1) / Vec::lanes * Vec::lanes);
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
    for (int i = 0; i < rows; i += tileRows) {
      const TileRows<format> to(*tiles, i, lesser(tileRows, rows - i), width);
      if (whole) {
        gateToTiles<xIsBf16>(x + i, gates + i, sizes, fields, to);
      } else {
        gateAnyToTiles<xIsBf16>(x + i, gates + i, sizes, to);
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
