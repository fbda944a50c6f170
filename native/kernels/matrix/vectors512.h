#pragma once
#include <immintrin.h>

#include "blocks.h"

// Products on 512-bit registers: 8 rows by 32 columns of sums in registers, 4 bytes along k at a time. Used by the AVX-512
// table, and by the AMX table for f32.

namespace limelight {
namespace {

template <Format format>
inline __m512i multiplyAdd(__m512i sums, __m512i a, __m512i b) {
  if constexpr (format == Format::f32) {
    return _mm512_castps_si512(
        _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _mm512_castsi512_ps(sums)));
  } else if constexpr (format == Format::bf16) {
    return _mm512_castps_si512(_mm512_dpbf16_ps(_mm512_castsi512_ps(sums), (__m512bh)a, (__m512bh)b));
  } else {
    return _mm512_dpbusd_epi32(sums, a, b);
  }
}

template <Format format, int rows, int columnTiles>
inline void multiplyRows(const std::byte* a, const std::byte* b, size_t bStride, int kTiles, float* to) {
  __m512i sums[rows][columnTiles];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int c = 0; c < columnTiles; c++) sums[r][c] = _mm512_load_si512(to + c * blockNumbers + r * 16);
  }
  for (int k = 0; k < kTiles; k++, a += 1024, b += 1024) {
#pragma GCC unroll 2
    for (int g = 0; g < 16; g++) {
      __m512i w[columnTiles];
#pragma GCC unroll 2
      for (int c = 0; c < columnTiles; c++) w[c] = _mm512_loadu_si512(b + c * bStride + g * 64);
#pragma GCC unroll 8
      for (int r = 0; r < rows; r++) {
        int32_t four;
        __builtin_memcpy(&four, a + r * 64 + g * 4, 4);
        const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 2
        for (int c = 0; c < columnTiles; c++) sums[r][c] = multiplyAdd<format>(sums[r][c], x, w[c]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int c = 0; c < columnTiles; c++) _mm512_store_si512(to + c * blockNumbers + r * 16, sums[r][c]);
  }
}

template <Format format>
void multiplyPiece(const Piece& p) {
  for (int row = 0; row < p.rows; row += 8) {
    const std::byte* a = p.a + row / 16 * p.aStride + row % 16 * tileRowBytes;
    float* to = p.sums + row / 16 * columnTilesAtOnce * blockNumbers + row % 16 * 16;
    if (p.columnTiles == 2) {
      multiplyRows<format, 8, 2>(a, p.b, p.bStride, p.kTiles, to);
    } else {
      multiplyRows<format, 8, 1>(a, p.b, p.bStride, p.kTiles, to);
    }
  }
}

/// 16 independent chains of `rounds` multiply-adds.
template <Format format>
uint64_t multiplyAddRounds(uint64_t rounds) {
  __m512i sums[16] = {};
  __m512i a = _mm512_set1_epi32(0x01010101), b = _mm512_set1_epi32(0x00010001);
  for (uint64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
    for (int s = 0; s < 16; s++) {
      sums[s] = multiplyAdd<format>(sums[s], a, b);
      asm volatile("" : "+v"(sums[s]));
    }
  }
  return rounds * 16 * 16 * (format == Format::f32 ? 1 : format == Format::bf16 ? 2 : 4);
}

}  // namespace
}  // namespace limelight
