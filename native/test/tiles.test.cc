#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

constexpr Format formats[] = {Format::f32, Format::bf16, Format::split, Format::u8};
constexpr int untouched = 0x5a;

/// A value's tiles, of which a kernel writes `width` columns from `column` on.
struct Target {
  int rows, column, width;
  Guarded<std::byte> tiles;
  Guarded<float> inverseScales;
  TileTarget target;

  Target(Format format, int rows, int column, int width, Random& random)
      : rows(rows),
        column(column),
        width(width),
        tiles(static_cast<size_t>((rows + 15) / 16 * tilesFor(format, column + width)) * tileBytes(format)),
        inverseScales(width) {
    std::memset(tiles.get(), untouched, tiles.size());
    for (int j = 0; j < width; j++) inverseScales[j] = 30.0f + 200.0f * std::fabs(random.number());
    target = {tiles.get(), format, tilesFor(format, column + width), column, nullptr, 0};
    if (format == Format::u8) {
      target.inverseScales = inverseScales.get();
      target.zero = random.below(2) * 128;
    }
  }

  int numberBytes() const { return 64 / tileNumbers(target.format); }

  const std::byte* at(int row, int k) const {
    const int numbers = tileNumbers(target.format);
    return tiles.get() + static_cast<size_t>(row / 16 * target.kTiles + k / numbers) * tileBytes(target.format) +
           row % 16 * 64 + k % numbers * numberBytes();
  }

  /// The number there; `part` 1 is the low part of a split one.
  double get(int row, int k, int part = 0) const {
    const std::byte* from = at(row, k) + part * 1024;
    if (target.format == Format::u8) return static_cast<double>(*from);
    uint32_t bits = 0;
    std::memcpy(&bits, from, numberBytes());
    return target.format == Format::f32 ? fromBits(bits) : fromBits(bits << 16);
  }

  void checkNumber(int row, int j, float y) const {
    const double got = get(row, column + j);
    if (target.format == Format::f32) {
      checkSame("an f32 number of a tile", got, y);
    } else if (target.format == Format::u8) {
      // NaN becomes 0.
      const double q = std::fmin(std::fmax(double(y) * inverseScales[j] + target.zero, 0), 255);
      check(std::fabs(got - q) <= 0.5001, "a byte of a tile", got, q);
    } else {
      checkBf16("a bf16 number of a tile", got, y);
      if (target.format == Format::split) checkBf16("a low part", get(row, column + j, 1), y - static_cast<float>(got));
    }
  }

  void checkRest() const {
    const int numbers = tileNumbers(target.format);
    for (int row = 0; row < (rows + 15) / 16 * 16; row++) {
      for (int k = 0; k < target.kTiles * numbers; k++) {
        const bool isWritten = row < rows && k >= column;
        if (isWritten && k < column + width) continue;
        if (isWritten && target.format == Format::u8) continue;  // any number
        const double number = isWritten ? get(row, k) : static_cast<double>(*at(row, k));
        checkSame("a number beside those written", number, isWritten ? 0 : untouched);
      }
    }
  }
};

void testToTiles(const RowKernels& kernels, Format format, int rows, int column, int width, Random& random) {
  const Rows x(rows, width, random);
  const Target target(format, rows, column, width, random);
  kernels.toTiles(rows, x.in(), width, target.target);
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < width; j++) target.checkNumber(i, j, x[i][j]);
  }
  target.checkRest();
}

/// Rounds rows to bf16 numbers, and writes these.
void roundTo(const Rows<uint16_t>& narrow, const Rows<float>& x, int rows, int width) {
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < width; j++) {
      x.out()[i][j] = nearestBf16(x[i][j]);
      narrow.out()[i][j] = static_cast<uint16_t>(bitsOf(x[i][j]) >> 16);
    }
  }
}

void testGate(const RowKernels& kernels, Format format, int rows, int column, const std::vector<int>& sizes,
              bool isBf16, Random& random) {
  int width = 0;
  for (const int size : sizes) width += size;
  const int fields = static_cast<int>(sizes.size());
  const Rows<float> x(rows, width, random), gates(rows, fields, random), out(rows, width);
  const Rows<uint16_t> narrow(rows, width);
  if (isBf16) roundTo(narrow, x, rows, width);
  const void* const* input = isBf16 ? narrow.as<void>() : x.as<void>();
  const Target target(format, rows, column, width, random);
  kernels.gate(rows, input, isBf16, gates.in(), sizes.data(), fields, nullptr, &target.target);
  kernels.gate(rows, input, isBf16, gates.in(), sizes.data(), fields, out.out(), nullptr);
  for (int i = 0; i < rows; i++) {
    for (int f = 0, j = 0; f < fields; f++) {
      for (const int end = j + sizes[f]; j < end; j++) {
        const float y = gates[i][f] * x[i][j];
        checkSame("a gated number", out[i][j], y);
        target.checkNumber(i, j, y);
      }
    }
  }
  target.checkRest();
}

void testMultiply(const RowKernels& kernels, Format format, int rows, int column, int width, bool isBf16, Random& random) {
  const Rows<float> a(rows, width, random), b(rows, width, random), out(rows, width);
  const Rows<uint16_t> narrow(rows, width);
  if (isBf16) roundTo(narrow, b, rows, width);
  const Target target(format, rows, column, width, random);
  const void* const* second = isBf16 ? narrow.as<void>() : b.as<void>();
  kernels.multiply(rows, a.in(), second, isBf16, width, nullptr, &target.target);
  kernels.multiply(rows, a.in(), second, isBf16, width, out.out(), nullptr);
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < width; j++) {
      checkSame("a product of two", out[i][j], a[i][j] * b[i][j]);
      target.checkNumber(i, j, a[i][j] * b[i][j]);
    }
  }
  target.checkRest();
}

void testGatherToTiles(const RowKernels& kernels, Format format, int rows, int column, int size, Random& random) {
  constexpr int tableRows = 9;
  const Rows<float> table(1, tableRows * size, random);
  const Guarded<int32_t> ids(rows);
  for (int i = 0; i < rows; i++) ids[i] = i == 0 ? tableRows - 1 : random.below(tableRows);
  const Target target(format, rows, column, size, random);
  kernels.gatherToTiles(rows, ids.get(), {table[0], size}, target.target);
  for (int i = 0; i < rows; i++) {
    for (int d = 0; d < size; d++) target.checkNumber(i, d, table[0][ids[i] * size + d]);
  }
  target.checkRest();
}

}  // namespace

void testTiles(const Kernels& kernels) {
  Random random;
  for (const Format format : formats) {
    Tally::get().what = std::string(kernels.name) + ": tiles of format " + std::to_string(static_cast<int>(format));
    for (const int width : lengths) {
      for (const int column : {0, 16, 48}) {
        testToTiles(kernels.rows, format, 1 + random.below(35), column, width, random);
        for (const bool isBf16 : {false, true})
          testMultiply(kernels.rows, format, 1 + random.below(35), column, width, isBf16, random);
      }
    }
    for (const int size : {16, 32, 48, 80})
      for (const int rows : {0, 1, 16, 17, 100}) testGatherToTiles(kernels.rows, format, rows, 16 * random.below(4), size, random);
    for (const bool isBf16 : {false, true}) {
      for (const int column : {0, 32}) {
        testGate(kernels.rows, format, 33, column, std::vector<int>(12, 16), isBf16, random);
        testGate(kernels.rows, format, 17, column, {16, 48, 32}, isBf16, random);
        testGate(kernels.rows, format, 5, column, {1, 0, 17, 8, 16, 3, 50, 64}, isBf16, random);
        testGate(kernels.rows, format, 3, column, {4, 8}, isBf16, random);
      }
    }
  }
}

}  // namespace limelight
