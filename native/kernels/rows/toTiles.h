#pragma once
#include "tiles.h"

namespace limelight {
namespace {

inline void toTiles(int rows, const float* const* x, int n, const TileTarget& tiles) {
  withFormat(tiles.format, [&]<Format format>() {
    for (int first = 0; first < rows; first += tileRows, x += tileRows) {
      const TileRows<format> to(tiles, first, lesser(tileRows, rows - first), n);
      int j = 0;
      for (; j + Vec::lanes <= n; j += Vec::lanes) to.put(j, [=](int r) { return Vec::load(x[r] + j); });
      if (j < n) {
        to.put(j, [=](int r) { return Vec::load(x[r] + j, n - j); });
        j += Vec::lanes;
      }
      to.zeros(j);
    }
  });
}

}  // namespace
}  // namespace limelight
