#pragma once
#include "../simd.h"

namespace limelight {
namespace {

// Plain loops: compilers make vectors of them.

inline bool idsInside(const int32_t* ids, size_t count, int32_t tableRows) {
  uint32_t greatest = 0;  // a negative id is greater than any other as an unsigned number
  for (size_t i = 0; i < count; i++) {
    const uint32_t id = static_cast<uint32_t>(ids[i]);
    greatest = id > greatest ? id : greatest;
  }
  return count == 0 || (tableRows > 0 && greatest < static_cast<uint32_t>(tableRows));
}

/// h ← (h ⊕ ((a, b) + salt)) · odd, then h ⊕ h / 2³², of two ids as one word. Both steps are one to one, so keys that differ in one
/// pair never meet.
inline void mixIn(int32_t a, int32_t b, uint64_t salt, uint64_t* h) {
  const uint64_t ids = (static_cast<uint32_t>(a) | uint64_t{static_cast<uint32_t>(b)} << 32) + salt;
  const uint64_t first = (h[0] ^ ids) * 0x9e3779b97f4a7c15u;
  const uint64_t second = (h[1] ^ ids) * 0xd1342543de82ef95u;
  h[0] = first ^ (first >> 32);
  h[1] = second ^ (second >> 32);
}

inline void hashIds(int rows, const int32_t* a, const int32_t* b, uint64_t salt, uint64_t* h) {
  for (int i = 0; i < rows; i++) mixIn(a[i], b[i], salt, h + 2 * i);
}

/// A list's length, then its items two by two: the last by itself, if one is left.
inline void hashLists(int rows, const int32_t* offsets, const int32_t* ids, uint64_t salt, uint64_t* h) {
  for (int i = 0; i < rows; i++) {
    const int32_t *item = ids + offsets[i], *end = ids + offsets[i + 1];
    const int32_t count = static_cast<int32_t>(end - item);
    uint64_t mixed[2] = {h[2 * i], h[2 * i + 1]};
    mixIn(count, count, salt, mixed);
    for (; end - item >= 2; item += 2) mixIn(item[0], item[1], salt, mixed);
    if (item < end) mixIn(*item, *item, salt, mixed);
    h[2 * i] = mixed[0];
    h[2 * i + 1] = mixed[1];
  }
}

}  // namespace
}  // namespace limelight
