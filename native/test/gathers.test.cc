#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

constexpr int tableRows = 9, offset = 3;

struct Lookup {
  Guarded<float> values;
  Table table;

  Lookup(int size, Random& random) : values(static_cast<size_t>(tableRows * size)), table{values.get(), size} {
    for (size_t i = 0; i < values.size(); i++) values[i] = random.hardNumber();
  }
  float at(int id, int d) const { return values[static_cast<size_t>(id * table.size + d)]; }
};

void testGather(const RowKernels& kernels, int rows, int size, Random& random) {
  const Lookup lookup(size, random);
  const Guarded<int32_t> ids(rows);
  for (int i = 0; i < rows; i++) ids[i] = i == 0 ? tableRows - 1 : random.below(tableRows);
  const Rows<float> wide(rows, offset + size);
  kernels.gather(rows, ids.get(), lookup.table, wide.out(), offset);
  for (int i = 0; i < rows; i++) {
    for (int d = 0; d < size; d++) checkSame("a gathered number", wide[i][offset + d], lookup.at(ids[i], d));
    for (int d = 0; d < offset; d++) check(wide[i][d] == 0, "a number before the field", wide[i][d], 0);
  }
}

void testLists(const RowKernels& kernels, int rows, int size, bool mean, Random& random) {
  const Lookup lookup(size, random);
  const Guarded<int32_t> offsets(rows + 1);
  const int before = 2;  // a block of a longer column
  offsets[0] = before;
  for (int i = 0; i < rows; i++) offsets[i + 1] = offsets[i] + (i % 3 == 0 ? 0 : random.below(40));
  const Guarded<int32_t> ids(offsets[rows]);
  for (size_t i = 0; i < ids.size(); i++) ids[i] = random.below(tableRows);
  const Rows<float> out(rows, offset + size);
  kernels.gatherLists(rows, offsets.get(), ids.get(), mean, lookup.table, out.out(), offset);
  for (int i = 0; i < rows; i++) {
    const int count = offsets[i + 1] - offsets[i];
    for (int d = 0; d < size; d++) {
      double sum = count == 0 ? lookup.at(0, d) : 0, magnitude = 0;
      for (int e = offsets[i]; e < offsets[i + 1]; e++) {
        sum += lookup.at(ids[e], d);
        magnitude += std::fabs(lookup.at(ids[e], d));
      }
      const double divisor = mean && count > 0 ? count : 1;
      checkClose("a pooled number", out[i][offset + d], sum / divisor, magnitude / divisor, 40);
    }
  }
}

}  // namespace

void testGathers(const Kernels& kernels) {
  Random random;
  for (const int size : lengths) {
    for (const int rows : {0, 1, 5, 70}) {
      Tally::get().what = std::string(kernels.name) + ": gathers of " + std::to_string(size) + " numbers";
      testGather(kernels.rows, rows, size, random);
      testLists(kernels.rows, rows, size, true, random);
      testLists(kernels.rows, rows, size, false, random);
    }
  }
}

}  // namespace limelight
