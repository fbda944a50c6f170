#include <set>

#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

void testInside(const RowKernels& kernels, int count, Random& random) {
  const Guarded<int32_t> ids(count);
  const int32_t rows = 1000;
  for (int i = 0; i < count; i++) ids[i] = random.below(rows);
  const auto inside = [&](int32_t tableRows) {
    return kernels.idsInside(ids.get(), static_cast<size_t>(count), tableRows);
  };
  check(inside(rows), "ids inside a table", 0, 1);
  check(inside(0) == (count == 0), "ids of a table without rows", 1, 0);
  for (const int32_t wrong : {rows, -1, INT32_MIN, INT32_MAX}) {
    for (int i = 0; i < count; i++) {
      const int32_t kept = ids[i];
      ids[i] = wrong;
      check(!inside(rows), "an id beyond the table", wrong, rows);
      ids[i] = kept;
    }
  }
}

void testHash(const RowKernels& kernels, int rows, Random& random) {
  const Guarded<int32_t> a(rows), b(rows);
  const Guarded<uint64_t> h(2 * static_cast<size_t>(rows));
  const uint64_t salt = 0x1234567890abcdefu + random.bits();
  std::vector<uint64_t> before(h.size());
  for (int i = 0; i < rows; i++) a[i] = static_cast<int32_t>(random.bits() << 1);
  for (int i = 0; i < rows; i++) b[i] = static_cast<int32_t>(random.bits() << 1);
  for (size_t i = 0; i < h.size(); i++) before[i] = h[i] = uint64_t{random.bits()} << 32 | random.bits();
  kernels.hashIds(rows, a.get(), b.get(), salt, h.get());
  for (size_t i = 0; i < h.size(); i++) {
    const uint64_t odd = i % 2 == 0 ? 0x9e3779b97f4a7c15u : 0xd1342543de82ef95u;
    const uint64_t ids = uint64_t{static_cast<uint32_t>(b[i / 2])} * 4294967296u + static_cast<uint32_t>(a[i / 2]);
    const uint64_t mixed = (before[i] ^ (ids + salt)) * odd;
    check(h[i] == (mixed ^ mixed >> 32), "a mix", static_cast<double>(h[i]), static_cast<double>(mixed ^ mixed >> 32));
  }
}

/// A list is its length and its items in pairs, the last one twice where one is left.
void testHashLists(const RowKernels& kernels, int rows, Random& random) {
  const Guarded<int32_t> offsets(rows + 1);
  offsets[0] = 3;
  for (int i = 0; i < rows; i++) offsets[i + 1] = offsets[i] + random.below(7);
  const Guarded<int32_t> ids(offsets[rows]);
  for (size_t i = 0; i < ids.size(); i++) ids[i] = static_cast<int32_t>(random.bits() << 1);
  const Guarded<uint64_t> h(2 * static_cast<size_t>(rows));
  std::vector<uint64_t> expected(h.size());
  for (size_t i = 0; i < h.size(); i++) expected[i] = h[i] = uint64_t{random.bits()} << 32 | random.bits();
  const uint64_t salt = random.bits();
  kernels.hashLists(rows, offsets.get(), ids.get(), salt, h.get());
  for (int i = 0; i < rows; i++) {
    const int32_t count = offsets[i + 1] - offsets[i];
    std::vector<int32_t> words = {count, count};
    for (int32_t at = offsets[i]; at < offsets[i + 1]; at++) words.push_back(ids[at]);
    if (count % 2 == 1) words.push_back(words.back());
    for (size_t at = 0; at < words.size(); at += 2) kernels.hashIds(1, &words[at], &words[at + 1], salt, &expected[2 * static_cast<size_t>(i)]);
  }
  for (size_t i = 0; i < h.size(); i++) check(h[i] == expected[i], "a mix of a list", static_cast<double>(h[i]), static_cast<double>(expected[i]));
}

/// Small ids in two columns, as tables have them: no two pairs may meet, in either mix, taken in together or one after the other.
void testCollisions(const RowKernels& kernels, bool together) {
  constexpr int side = 300;
  std::set<uint64_t> first, second;
  for (int a = 0; a < side; a++) {
    std::vector<uint64_t> h(2 * side, 1);
    std::vector<int32_t> as(side, a), bs(side);
    for (int b = 0; b < side; b++) bs[b] = b;
    kernels.hashIds(side, as.data(), together ? bs.data() : as.data(), 1, h.data());
    if (!together) kernels.hashIds(side, bs.data(), bs.data(), 3, h.data());
    for (int b = 0; b < side; b++) {
      first.insert(h[2 * b]);
      second.insert(h[2 * b + 1]);
    }
  }
  check(first.size() == side * side, "different first mixes", static_cast<double>(first.size()), side * side);
  check(second.size() == side * side, "different second mixes", static_cast<double>(second.size()), side * side);
}

}  // namespace

void testIds(const Kernels& kernels) {
  Random random;
  Tally::get().what = std::string(kernels.name) + ": ids";
  for (const int count : lengths) {
    testInside(kernels.rows, count, random);
    testHash(kernels.rows, count, random);
    testHashLists(kernels.rows, count, random);
  }
  for (const bool together : {false, true}) testCollisions(kernels.rows, together);
}

}  // namespace limelight
