#include <arm_neon.h>

#include "blocks.h"
#include "pack.h"
#include "tables.h"

// Products on 128-bit registers of 64-bit ARM: 4 rows by 16 columns of sums in registers, 4 bytes along k at a time.

namespace limelight {
namespace {

/// Four times the 4 bytes of a row.
inline float32x4_t broadcast(const std::byte* four) {
  float x;
  __builtin_memcpy(&x, four, 4);
  return vdupq_n_f32(x);
}

/// The sums of 4 columns and the products of 4 bytes along k.
template <Format format>
LIMELIGHT_INLINE inline float32x4_t multiplyAdd(float32x4_t sums, float32x4_t a, float32x4_t w) {
  if constexpr (format == Format::f32) return vfmaq_f32(sums, a, w);
  // Even and odd bytes as 16-bit integers; then 32-bit sums of an even and an odd product, two a column.
  const uint16x8_t x = vreinterpretq_u16_f32(a);
  const int16x8_t xEven = vreinterpretq_s16_u16(vandq_u16(x, vdupq_n_u16(255)));
  const int16x8_t xOdd = vreinterpretq_s16_u16(vshrq_n_u16(x, 8));
  const int16x8_t both = vreinterpretq_s16_f32(w);
  const int16x8_t wEven = vshrq_n_s16(vshlq_n_s16(both, 8), 8), wOdd = vshrq_n_s16(both, 8);
  const int32x4_t low = vmlal_s16(vmull_s16(vget_low_s16(xEven), vget_low_s16(wEven)), vget_low_s16(xOdd),
                                  vget_low_s16(wOdd));
  const int32x4_t high = vmlal_high_s16(vmull_high_s16(xEven, wEven), xOdd, wOdd);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(sums), vpaddq_s32(low, high)));
}

constexpr int rowsAtOnce = 4;

template <Format format>
void multiplyRows(const std::byte* a, const std::byte* b, int kTiles, bool first, float* to) {
  float32x4_t sums[rowsAtOnce][4];
  times<rowsAtOnce * 4>([&](auto i) LIMELIGHT_INLINE {
    sums[i / 4][i % 4] = first ? vdupq_n_f32(0) : vld1q_f32(to + i / 4 * 16 + i % 4 * 4);
  });
  for (int k = 0; k < kTiles; k++, a += 1024) {
    for (int g = 0; g < 16; g++, b += 64) {
      float32x4_t w[4];
      times<4>([&](auto c) LIMELIGHT_INLINE { w[c] = vld1q_f32(reinterpret_cast<const float*>(b) + c * 4); });
      times<rowsAtOnce>([&](auto r) LIMELIGHT_INLINE {
        const float32x4_t x = broadcast(a + r * tileRowBytes + g * 4);
        times<4>([&](auto c) LIMELIGHT_INLINE { sums[r][c] = multiplyAdd<format>(sums[r][c], x, w[c]); });
      });
    }
  }
  times<rowsAtOnce * 4>([&](auto i) LIMELIGHT_INLINE { vst1q_f32(to + i / 4 * 16 + i % 4 * 4, sums[i / 4][i % 4]); });
}

template <Format format>
void multiplyPiece(const Piece& p) {
  for (int c = 0; c < p.columnTiles; c++) {
    for (int row = 0; row < p.rows; row += rowsAtOnce) {
      const std::byte* a = p.a + row / 16 * p.aStride + row % 16 * tileRowBytes;
      float* to = p.sums + (row / 16 * columnTilesAtOnce + c) * blockNumbers + row % 16 * 16;
      multiplyRows<format>(a, p.b + c * p.bStride, p.kTiles, p.first, to);
    }
  }
}

void multiply(const Piece& piece) {
  piece.format == Format::u8 ? multiplyPiece<Format::u8>(piece) : multiplyPiece<Format::f32>(piece);
}

template <Format format>
uint64_t multiplyAddRounds(uint64_t rounds) {
  float32x4_t sums[16] = {}, x = vdupq_n_f32(0), w = vdupq_n_f32(0);
  for (uint64_t i = 0; i < rounds; i++) {
    times<16>([&](auto s) LIMELIGHT_INLINE {
      asm volatile("" : "+w"(x), "+w"(w));  // or all chains would share their products
      sums[s] = multiplyAdd<format>(sums[s], x, w);
      asm volatile("" : "+w"(sums[s]));
    });
  }
  return rounds * 16 * 4 * (format == Format::u8 ? 4 : 1);
}

}  // namespace

const MatrixKernels matrixNeon = {
    [](Format format) { return format == Format::f32 || format == Format::u8; },
    packedBytes,
    packWeights,
    packRows,
    productInBlocks<multiply>,
    [] {},
    [] {},
    [](Format format, uint64_t rounds) {
      return format == Format::u8 ? multiplyAddRounds<Format::u8>(rounds) : multiplyAddRounds<Format::f32>(rounds);
    },
};

}  // namespace limelight
