#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels/kernels.h"
#include "check.h"

// Every product, in every format and on every instruction set of this machine, against a plain loop in double precision
// over the numbers as the tiles hold them.

namespace limelight {
namespace {

template <size_t n>
int oneOf(const int (&list)[n], Random& random) {
  return list[random.below(n)];
}

/// AVX-512's bf16 products are only reported as supported where they are worth while; they are right wherever they run.
bool runs(const Kernels& kernels, Format format) {
#ifdef __x86_64__
  const bool isAvx512 = std::strcmp(kernels.name, "avx512") == 0;
  if (isAvx512 && format == Format::bf16 && __builtin_cpu_supports("avx512bf16")) return true;
#endif
  return kernels.matrix.supports(format);
}

/// The nearest number with 8 significant bits, ties to even.
double rounded(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent;
  const double fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(fraction * 256), exponent - 8);
}

uint16_t bf16Bits(double x) {
  const float number = static_cast<float>(rounded(x));
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return static_cast<uint16_t>(bits >> 16);
}

float bf16Number(const std::byte* at) {
  uint16_t half;
  std::memcpy(&half, at, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

struct Tiles {
  Format format;
  int kTiles;
  std::vector<std::byte> bytes;

  Tiles(Format format, int rows, int width)
      : format(format), kTiles(tilesFor(format, width)), bytes((rows + 15) / 16 * kTiles * tileBytes(format)) {}

  std::byte* at(int row, int k) {
    const int numbers = tileNumbers(format);
    std::byte* tile = bytes.data() + (row / 16 * kTiles + k / numbers) * tileBytes(format);
    return tile + row % 16 * 64 + k % numbers * (64 / numbers);
  }

  void set(int row, int k, float x) {
    if (format == Format::f32) std::memcpy(at(row, k), &x, 4);
    if (format == Format::u8) *at(row, k) = static_cast<std::byte>(static_cast<int>(x));
    if (format != Format::bf16 && format != Format::split) return;
    const uint16_t high = bf16Bits(x), low = bf16Bits(x - rounded(x));
    std::memcpy(at(row, k), &high, 2);
    if (format == Format::split) std::memcpy(at(row, k) + 1024, &low, 2);
  }

  double get(int row, int k) {
    const std::byte* from = at(row, k);
    float x;
    std::memcpy(&x, from, 4 * (format == Format::f32));
    if (format == Format::f32) return x;
    if (format == Format::u8) return static_cast<uint8_t>(*from);
    return bf16Number(from) + (format == Format::split ? bf16Number(from + 1024) : 0.0);
  }
};

/// What one number of a format may be off by, of its own size.
double precision(Format format) { return format == Format::bf16 ? 0x1p-8 : format == Format::split ? 0x1p-16 : 0; }

double activated(double x, Activation activation) {
  if (activation == Activation::linear) return x;
  if (activation == Activation::relu) return x < 0 ? 0 : x;
  return (activation == Activation::doubleSigmoid ? 2 : 1) / (1 + std::exp(-x));
}

struct Case {
  std::vector<Format> formats;
  int rows = 17, k = 33, n = 48;
  bool bias = true, added = true, addedBf16 = false, out = true, packRows = false;
  Activation activation = Activation::linear;
  std::vector<Format> targets = {};
  int column = 0;   // of the targets
  int zero = 128;   // of u8 numbers, in and out
  float size = 1;   // of numbers and weights
  int nanRow = -1;  // its numbers are NaN
  int step = 1;     // every how many rows are checked
};

struct Operands {
  Tiles a;
  std::vector<float> w, rowScale;
  std::vector<std::byte> b;
  std::vector<float> columnScale, columnSum;
};

/// Random numbers of one term. u8: weights that signed bytes hold exactly, after scales that are powers of two.
Operands operandsOf(const Kernels& kernels, const Case& c, Format format, Random& random) {
  Operands o{Tiles(format, c.rows, c.k), std::vector<float>(c.k * c.n), std::vector<float>(c.k, 1.0f), {}, {}, {}};
  for (float& scale : o.rowScale) scale = std::ldexp(1.0f, random.below(3) - 1);
  for (int k = 0; k < c.k; k++) {
    for (int n = 0; n < c.n; n++) {
      const int q = k == n % c.k ? 127 : random.below(255) - 127;
      o.w[k * c.n + n] = format == Format::u8 ? q / o.rowScale[k] / 256 : random.number() * c.size;
    }
  }
  for (int row = 0; row < c.rows; row++) {
    for (int k = 0; k < c.k; k++) {
      const float x = format == Format::u8 ? random.below(256) : row == c.nanRow ? NAN : random.number() * c.size;
      o.a.set(row, k, x);
    }
  }
  // Bytes beyond the width may hold anything; their weights are 0.
  if (format == Format::u8) {
    for (int k = c.k; k < o.a.kTiles * 64; k++) o.a.set(0, k, 255);
  }
  const MatrixKernels& matrix = kernels.matrix;
  o.b.resize(matrix.packedBytes(format, c.k, c.n), std::byte{0xff});
  o.columnScale.resize(roundUp16(c.n));
  o.columnSum.resize(roundUp16(c.n));
  if (c.packRows && format != Format::u8) {
    matrix.packRows(format, o.w.data(), c.k, c.n, c.n, o.b.data());
  } else {
    matrix.packWeights(format, o.w.data(), c.k, c.n, c.n, o.rowScale.data(), o.b.data(), o.columnScale.data(),
                       o.columnSum.data());
  }
  return o;
}

/// The numbers of a term as the tiles hold them.
struct Exact {
  std::vector<double> a, w;  // [rows, k], [n, k]
  double zero, precision;    // the zero point; what a sum may be off by, of the sum of its terms' sizes
};

std::vector<Exact> exactOf(const Case& c, std::vector<Operands>& operands) {
  std::vector<Exact> exact;
  for (Operands& o : operands) {
    const Format format = o.a.format;
    // Each sum of floats may round; a split number lacks what both of its parts cannot hold.
    const double zero = format == Format::u8 ? c.zero : 0, precision = format == Format::split ? 0x1p-15 : 0x1p-20;
    Exact e{std::vector<double>(c.rows * c.k), std::vector<double>(c.n * c.k), zero, precision};
    for (int k = 0; k < c.k; k++) {
      for (int row = 0; row < c.rows; row++) e.a[row * c.k + k] = o.a.get(row, k) - e.zero;
      for (int n = 0; n < c.n; n++) {
        const double w = o.w[k * c.n + n];
        e.w[n * c.k + k] = format == Format::u8 ? w * o.rowScale[k] : format == Format::bf16 ? rounded(w) : w;
      }
    }
    exact.push_back(std::move(e));
  }
  return exact;
}

void run(const Kernels& kernels, const Case& c) {
  for (const Format format : c.formats) {
    if (!runs(kernels, format)) return;
  }
  static Random random;
  const int columns = roundUp16(c.n), outStride = columns + 3;
  std::vector<Operands> operands;
  for (const Format format : c.formats) operands.push_back(operandsOf(kernels, c, format, random));

  std::vector<float> bias(columns), givenBias(columns), added(c.rows * columns), out(c.rows * outStride, -7.0f);
  std::vector<const float*> addedRows(c.rows);
  std::vector<uint16_t> halves(c.rows * columns);
  std::vector<const uint16_t*> rowsOfHalves(c.rows);
  std::vector<float> inverseScales(columns);
  for (float& x : bias) x = c.bias ? random.number() * c.size : 0;
  for (float& x : added) x = random.number() * c.size;
  for (uint16_t& x : halves) x = bf16Bits(random.number() * c.size);
  for (int row = 0; row < c.rows; row++) rowsOfHalves[row] = halves.data() + (c.rows - 1 - row) * columns;
  for (float& x : inverseScales) x = 20 + 20 * random.number();
  for (int row = 0; row < c.rows; row++) addedRows[row] = added.data() + (c.rows - 1 - row) * columns;

  MatrixProduct product;
  givenBias = bias;
  bool needsBias = c.bias;
  for (size_t t = 0; t < c.formats.size(); t++) {
    product.terms[t] = {operands[t].a.bytes.data(), operands[t].b.data(), operands[t].a.kTiles, c.formats[t]};
    if (c.formats[t] != Format::u8) continue;
    product.scale = operands[t].columnScale.data();
    needsBias = true;
    for (int n = 0; n < c.n; n++) givenBias[n] -= c.zero * operands[t].columnSum[n];
  }
  product.termCount = static_cast<int>(c.formats.size());
  product.columns = columns;
  product.bias = needsBias ? givenBias.data() : nullptr;
  product.added = c.added ? addedRows.data() : nullptr;
  product.addedBf16 = c.addedBf16 ? rowsOfHalves.data() : nullptr;
  product.activation = c.activation;
  product.rows = c.rows;
  product.out = c.out ? out.data() : nullptr;
  product.outStride = outStride;
  std::vector<Tiles> targets;
  for (const Format format : c.targets) targets.emplace_back(format, c.rows, c.column + columns);
  for (Tiles& target : targets) {
    product.tiles[product.tileTargets++] = {target.bytes.data(), target.format, target.kTiles,
                                            c.column, inverseScales.data(), c.zero};
  }
  kernels.matrix.begin();
  kernels.matrix.product(product);
  kernels.matrix.end();

  const std::vector<Exact> exact = exactOf(c, operands);
  for (int row = 0; row < c.rows; row += c.step) {
    for (int n = 0; n < columns; n++) {
      const double given = c.added ? addedRows[row][n] : 0;
      const double half = c.addedBf16 ? bf16Number(reinterpret_cast<const std::byte*>(rowsOfHalves[row] + n)) : 0;
      double sum = bias[n] + given + half;
      double error = (std::fabs(bias[n]) + std::fabs(given) + std::fabs(half)) * 0x1p-22;
      for (const Exact& term : exact) {
        if (n >= c.n) continue;
        double of = 0;
        for (int k = 0; k < c.k; k++) {
          const double product = term.a[row * c.k + k] * term.w[n * c.k + k];
          sum += product;
          of += std::fabs(product) + std::fabs(term.zero * term.w[n * c.k + k]);
        }
        error += of * term.precision;
      }
      const double y = activated(sum, c.activation);
      error += std::fabs(y) * 2e-6 + 1e-37 * c.k;
      const auto close = [&](double got, double slack) {
        return std::isnan(y) ? std::isnan(got) : std::fabs(got - y) <= error + slack * std::fabs(y) || got == y;
      };
      if (c.out) check(close(out[row * outStride + n], 0), "a number of a product", out[row * outStride + n], y);
      for (Tiles& target : targets) {
        const double got = target.get(row, c.column + n);
        if (target.format == Format::u8) {
          // Bytes hold no NaN; it becomes 0.
          const auto byteOf = [&](double x) { return std::fmin(std::fmax(x * inverseScales[n] + c.zero, 0), 255); };
          const double least = std::isnan(y) ? 0 : byteOf(y - error), most = std::isnan(y) ? 0 : byteOf(y + error);
          check(got >= least - 0.5001 && got <= most + 0.5001, "a byte of a tile", got, byteOf(y));
        } else {
          check(close(got, precision(target.format)), "a number of a tile", got, y);
        }
      }
    }
    const float beyond = out[row * outStride + columns];
    if (c.out) check(beyond == -7.0f, "a number beyond a row", beyond, -7);
  }
  for (Tiles& target : targets) {
    for (int k = 0; k < c.column; k++) check(target.get(0, k) == 0, "a column before", target.get(0, k), 0);
  }
}

constexpr Format formats[] = {Format::f32, Format::bf16, Format::split, Format::u8};
constexpr int rowCounts[] = {1, 15, 16, 17, 31, 33, 64, 500};
constexpr int widths[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 224, 512};
constexpr Activation activations[] = {Activation::linear, Activation::relu, Activation::sigmoid,
                                      Activation::doubleSigmoid};

void testShapes(const Kernels& kernels) {
  for (const Format format : formats) {
    for (const int rows : rowCounts) run(kernels, {.formats = {format}, .rows = rows, .targets = {format}});
    for (const int k : widths) run(kernels, {.formats = {format}, .k = k, .targets = {format}});
    for (const int n : widths) run(kernels, {.formats = {format}, .n = n, .targets = {format}});
    // A plain layer with rows added, of bf16 numbers too.
    for (const int rows : rowCounts)
      run(kernels, {.formats = {format}, .rows = rows, .addedBf16 = true, .out = false, .activation = Activation::relu, .targets = {Format::bf16}});
    run(kernels, {.formats = {format}, .rows = 500, .k = 512, .n = 512, .targets = {format}, .step = 83});
  }
}

/// Layers of few inputs and outputs, as towers of creatives have them.
void testSmallLayers(const Kernels& kernels) {
  for (size_t terms = 1; terms <= 3; terms++) {
    for (const int n : {16, 32, 64}) {
      for (const int rows : rowCounts) {
        for (const bool isAdded : {false, true}) {
          Case c{.formats = std::vector<Format>(terms, Format::bf16), .rows = rows, .k = terms == 1 ? 64 : 20, .n = n};
          c.bias = c.added = c.addedBf16 = isAdded;
          c.out = false;
          c.activation = isAdded ? Activation::relu : Activation::linear;
          c.targets = {Format::bf16};
          c.column = isAdded ? 32 : 0;
          c.nanRow = 7;
          run(kernels, c);
        }
      }
    }
  }
}

void testRandomProducts(const Kernels& kernels) {
  Random random;
  for (int i = 0; i < 300; i++) {
    Case c;
    for (int terms = 1 + random.below(4), u8 = 0; terms > 0; terms--) {
      const Format format = formats[random.below(4)];
      if (format == Format::u8 && u8++ > 0) continue;  // one at most
      c.formats.push_back(format);
    }
    for (int targets = random.below(3); targets > 0; targets--) c.targets.push_back(formats[random.below(4)]);
    c.rows = std::min(oneOf(rowCounts, random), 100);
    c.k = oneOf(widths, random);
    c.n = std::min(oneOf(widths, random), 200);
    c.bias = random.below(2);
    c.added = random.below(2);
    c.addedBf16 = random.below(2);
    c.out = random.below(2);
    c.packRows = random.below(2);
    c.activation = activations[random.below(4)];
    c.column = 16 * random.below(5);
    c.zero = 128 * random.below(2);
    run(kernels, c);
  }
}

void testHardNumbers(const Kernels& kernels) {
  for (const Format format : {Format::f32, Format::bf16, Format::split}) {
    for (const Activation activation : activations) {
      for (const Format target : formats) {
        run(kernels, {.formats = {format}, .rows = 33, .activation = activation, .targets = {target}, .nanRow = 7});
        run(kernels, {.formats = {format}, .activation = activation, .targets = {target}, .size = 1e-22f});
        run(kernels, {.formats = {format}, .activation = activation, .targets = {target}, .size = 20});
      }
      run(kernels, {.formats = {format}, .activation = activation, .targets = {format, Format::u8}, .size = 1e15f});
    }
  }
}

/// Rows with one number each read the packed weights back.
void testScaledWeights(const Kernels& kernels) {
  if (!kernels.matrix.supports(Format::u8)) return;
  constexpr int k = 67, n = 48;
  Random random;
  std::vector<float> w(k * n), rowScale(k), scale(n), sum(n), out(k * n);
  for (float& x : w) x = random.number();
  for (float& x : rowScale) x = 0.01f + std::fabs(random.number());
  for (int row = 0; row < k; row++) w[row * n + 5] = 0;
  std::vector<std::byte> b(kernels.matrix.packedBytes(Format::u8, k, n));
  kernels.matrix.packWeights(Format::u8, w.data(), k, n, n, rowScale.data(), b.data(), scale.data(), sum.data());
  Tiles a(Format::u8, k, k);
  for (int row = 0; row < k; row++) a.set(row, row, 1);
  MatrixProduct product;
  product.terms[0] = {a.bytes.data(), b.data(), a.kTiles, Format::u8};
  product.termCount = 1;
  product.columns = n;
  product.scale = scale.data();
  product.rows = k;
  product.out = out.data();
  product.outStride = n;
  kernels.matrix.begin();
  kernels.matrix.product(product);
  kernels.matrix.end();
  for (int column = 0; column < n; column++) {
    double total = 0, largest = 0;
    for (int row = 0; row < k; row++) {
      const double exact = static_cast<double>(w[row * n + column]) * rowScale[row];
      const double got = out[row * n + column];
      check(std::fabs(got - exact) <= scale[column] * 0.5001, "a packed weight", got, exact);
      largest = std::fmax(largest, std::fabs(exact));
      total += got;
    }
    check(std::fabs(scale[column] - largest / 127) <= 1e-6 * largest, "a column's scale", scale[column], largest / 127);
    check(std::fabs(sum[column] - total) <= 1e-5 * largest * k, "a column's sum", sum[column], total);
  }
}

}  // namespace

void testMatrix(const Kernels& kernels) {
  Tally::get().what = std::string(kernels.name) + ": matrix products";
  testShapes(kernels);
  testSmallLayers(kernels);
  testRandomProducts(kernels);
  testHardNumbers(kernels);
  testScaledWeights(kernels);
}

}  // namespace limelight
