#pragma once
#include "tiles.h"

namespace limelight {
namespace {

/// How many ids ahead a row is asked for, into the second level: more than the line fill buffers of a core.
constexpr int prefetchAhead = 48;

inline void prefetchRow(const Table& table, int32_t id) {
  const char* row = reinterpret_cast<const char*>(table.values + size_t(id) * size_t(table.size));
  const int bytes = 4 * table.size;
  for (int at = 0; at < bytes; at += 64) __builtin_prefetch(row + at, 0, 2);
  if (bytes > 0) __builtin_prefetch(row + bytes - 1, 0, 2);  // a row need not start at a cache line
}

/// Calls `write(i, row)` for each id's row of the table.
template <class Write>
inline void forEachRow(int rows, const int32_t* ids, const Table& table, Write write) {
  for (int i = 0; i < lesser(rows, prefetchAhead); i++) prefetchRow(table, ids[i]);
  for (int i = 0; i < rows; i++) {
    if (i + prefetchAhead < rows) prefetchRow(table, ids[i + prefetchAhead]);
    write(i, table.values + size_t(ids[i]) * size_t(table.size));
  }
}

inline void gather(int rows, const int32_t* ids, Table table, float* const* to, int offset) {
  if (table.size == Vec::lanes) {  // of embeddings, the most common size
    forEachRow(rows, ids, table, [&](int i, const float* from) { Vec::load(from).store(to[i] + offset); });
    return;
  }
  forEachRow(rows, ids, table, [&](int i, const float* from) {
    float* out = to[i] + offset;
    int d = 0;
    for (; d + Vec::lanes <= table.size; d += Vec::lanes) Vec::load(from + d).store(out + d);
    if (d < table.size) Vec::load(from + d, table.size - d).store(out + d, table.size - d);
  });
}

/// Of tables of whole vectors.
inline void gatherToTiles(int rows, const int32_t* ids, Table table, const TileTarget& tiles) {
  withFormat(tiles.format, [&]<Format format>() {
    for (int i = 0; i < lesser(rows, prefetchAhead); i++) prefetchRow(table, ids[i]);
    for (int first = 0; first < rows; first += tileRows) {
      for (int i = first + prefetchAhead; i < lesser(rows, first + prefetchAhead + tileRows); i++) prefetchRow(table, ids[i]);
      const TileRows<format> to(tiles, first, lesser(tileRows, rows - first), table.size);
      int j = 0;
      for (; j < table.size; j += Vec::lanes) {
        to.put(j, [=](int r) { return Vec::load(table.values + size_t(ids[first + r]) * size_t(table.size) + j); });
      }
      to.zeros(j);
    }
  });
}

}  // namespace
}  // namespace limelight
