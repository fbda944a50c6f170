#include "rates.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace limelight {
namespace {

double now() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The highest rate, in units a nanosecond, of runs of at least 50 µs: a neighbour on the core only ever slows one
/// down.
/// `run(repeats)` returns the units done.
template <typename Run>
double highestRate(double seconds, Run run) {
  uint64_t repeats = 1;
  double best = 0, last = 0;
  const double start = now();
  do {
    const double from = now();
    const double units = static_cast<double>(run(repeats));
    last = now() - from;
    if (last < 50e3) {
      repeats *= 2;
    } else if (units / last > best) {
      best = units / last;
    }
  } while (last < 50e3 || now() - start < seconds * 1e9);
  return best;
}

struct Free {
  void operator()(std::byte* bytes) const { ::operator delete(bytes, std::align_val_t(64)); }
};
using Buffer = std::unique_ptr<std::byte, Free>;

Buffer zeros(size_t bytes) {
  Buffer buffer(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64))));
  std::memset(buffer.get(), 0, bytes);
  return buffer;
}

}  // namespace

double measurePeak(const Kernels& kernels, Format format, double seconds) {
  if (!kernels.matrix.supports(format)) return 0;
  return highestRate(seconds, [&](uint64_t repeats) { return kernels.matrix.multiplyAdds(format, repeats * 64); });
}

double measureProduct(const Kernels& kernels, Format format, int rows, int k, int n, double seconds) {
  if (!kernels.matrix.supports(format)) return 0;
  const size_t rowTiles = (rows + tileRows - 1) / tileRows;
  const int columns = roundUp16(n), kTiles = tilesFor(format, k), outTiles = tilesFor(format, columns);
  const Buffer a = zeros(rowTiles * kTiles * tileBytes(format));
  const Buffer out = zeros(rowTiles * outTiles * tileBytes(format));
  const Buffer b = zeros(kernels.matrix.packedBytes(format, k, n));
  const std::vector<float> w(static_cast<size_t>(k) * n, 0.5f), rowScale(k, 1.0f), ones(columns, 1.0f);
  std::vector<float> scale(columns), sums(columns);
  kernels.matrix.packWeights(format, w.data(), k, n, n, rowScale.data(), b.get(), scale.data(), sums.data());

  MatrixProduct product;
  product.terms[0] = {a.get(), b.get(), kTiles, format};
  product.termCount = 1;
  product.columns = columns;
  product.rows = rows;
  product.bias = ones.data();
  if (format == Format::u8) product.scale = scale.data();
  product.activation = Activation::relu;
  product.tiles[0].tiles = out.get();
  product.tiles[0].format = format;
  product.tiles[0].kTiles = outTiles;
  product.tiles[0].inverseScales = ones.data();
  product.tileTargets = 1;

  kernels.matrix.begin();
  const double rate = highestRate(seconds, [&](uint64_t repeats) {
    for (uint64_t i = 0; i < repeats; i++) kernels.matrix.product(product);
    return repeats * rows * k * n;
  });
  kernels.matrix.end();
  return rate;
}

double measureRead(size_t bytes, size_t recordBytes, double seconds) {
  constexpr size_t line = 64, ahead = 8;
  const size_t lines = (recordBytes + line - 1) / line, records = bytes / (lines * line);
  if (records == 0) return 0;
  const Buffer buffer = zeros(records * lines * line);
  typedef uint64_t Words __attribute__((vector_size(16), may_alias));
  uint64_t random = 1;
  Words a = {}, b = {}, c = {}, d = {};  // with one sum each addition would wait for the one before
  const std::byte* next[ahead];
  const auto draw = [&] {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const size_t record = static_cast<size_t>((random >> 32) * records >> 32);
    const std::byte* at = buffer.get() + record * lines * line;
    for (size_t i = 0; i < lines; i++) __builtin_prefetch(at + i * line);
    return at;
  };
  for (const std::byte*& at : next) at = draw();
  const double rate = highestRate(seconds, [&](uint64_t repeats) {
    for (uint64_t i = 0; i < repeats; i++) {
      const std::byte* at = next[i % ahead];
      for (size_t j = 0; j < lines * line; j += line) {
        const Words* words = reinterpret_cast<const Words*>(at + j);
        a += words[0];
        b += words[1];
        c += words[2];
        d += words[3];
      }
      next[i % ahead] = draw();
    }
    return repeats * recordBytes;
  });
  a += b + c + d;
  asm volatile("" : : "m"(a));
  return rate;
}

}  // namespace limelight
