#pragma once
#include "tiles.h"

namespace limelight {
namespace {

inline void toTiles(int rows, const float* const* x, int n, const TileTarget& tiles) {
  withFormat(tiles.format, [&]<Format format>() {
    for (int i = 0; i < rows; i++) {
      const TileRow<format> row(tiles, i, n);
      int j = 0;
      for (; j + Vec::lanes <= n; j += Vec::lanes) row.put(j, Vec::load(x[i] + j));
      if (j < n) {
        row.put(j, Vec::load(x[i] + j, n - j));
        j += Vec::lanes;
      }
      row.zeros(j);
    }
  });
}

}  // namespace
}  // namespace limelight
