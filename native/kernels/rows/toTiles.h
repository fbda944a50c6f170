#pragma once
#include "tiles.h"

namespace limelight {
namespace {

inline void toTiles(int rows, const float* const* x, int n, const TileTarget& tiles) {
  putInTiles(rows, n, tiles, [=](int row, int j, int m) { return Vec::load(x[row] + j, m); });
}

}  // namespace
}  // namespace limelight
