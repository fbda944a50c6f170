#define LIMELIGHT_SCALAR
#include "blocks.h"
#include "pack.h"
#include "tables.h"

// The plainest form of each product, on any machine.

namespace limelight {
namespace {

float bf16At(const std::byte* from) {
  uint16_t half;
  __builtin_memcpy(&half, from, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

/// sums[columns] += the 4 bytes of one row times one row of a tile.
void multiplyGroup(Format format, const std::byte* a, const std::byte* b, float* sums) {
  for (int n = 0; n < 16; n++, b += 4) {
    if (format == Format::f32) {
      float x, w;
      __builtin_memcpy(&x, a, 4);
      __builtin_memcpy(&w, b, 4);
      sums[n] += x * w;
    } else if (format == Format::bf16) {
      sums[n] += bf16At(a) * bf16At(b) + bf16At(a + 2) * bf16At(b + 2);
    } else if (format == Format::split) {
      for (int i = 0; i < 4; i += 2) {
        const float high = bf16At(a + i), low = bf16At(a + 1024 + i), w = bf16At(b + i);
        sums[n] += low * w + high * bf16At(b + 1024 + i) + high * w;
      }
    } else {
      int32_t sum;
      __builtin_memcpy(&sum, sums + n, 4);
      for (int i = 0; i < 4; i++) sum += static_cast<uint8_t>(a[i]) * static_cast<int8_t>(b[i]);
      __builtin_memcpy(sums + n, &sum, 4);
    }
  }
}

void multiply(const Piece& piece) {
  const size_t tile = tileBytes(piece.format);
  for (int row = 0; row < piece.rows; row++) {
    for (int c = 0; c < piece.columnTiles; c++) {
      float* sums = piece.sums + (row / 16 * columnTilesAtOnce + c) * blockNumbers + row % 16 * 16;
      if (piece.first) __builtin_memset(sums, 0, 64);
      const std::byte* a = piece.a + row / 16 * piece.aStride + row % 16 * tileRowBytes;
      const std::byte* b = piece.b + c * piece.bStride;
      for (int k = 0; k < piece.kTiles; k++) {
        for (int g = 0; g < 16; g++) multiplyGroup(piece.format, a + k * tile + g * 4, b + k * tile + g * 64, sums);
      }
    }
  }
}

uint64_t multiplyAdds(Format, uint64_t rounds) {
  float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (uint64_t i = 0; i < rounds; i++) {
    for (float& y : x) {
      y = y * 0.5f + 1.0f;
      asm volatile("" : "+m"(y));
    }
  }
  return rounds * 8;
}

}  // namespace

const MatrixKernels matrixScalar = {
    [](Format) { return true; },
    packedBytes,
    packWeights,
    packRows,
    productInBlocks<multiply>,
    [] {},
    [] {},
    multiplyAdds,
};

}  // namespace limelight
