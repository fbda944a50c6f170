#pragma once
#include <immintrin.h>

#include "blocks.h"
#include "times.h"

// Products on 512-bit registers: 8 rows by 48 columns of sums in registers, 4 bytes along k at a time. Used by the
// AVX-512 table, and by the AMX table for f32.

namespace limelight {
namespace {

/// Written as instructions: GCC copies the sums from register to register, or to memory, where these are intrinsics.
template <Format format>
inline __m512i multiplyAdd(__m512i sums, __m512i a, __m512i b) {
  if constexpr (format == Format::f32) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
  } else if constexpr (format == Format::bf16) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
  } else {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
  }
  return sums;
}

template <Format format, int rows, int columnTiles>
inline void multiplyRows(const std::byte* a, const std::byte* b, size_t bStride, int kTiles, bool first,
                         float* to) {
  __m512i sums[rows][columnTiles];
  times<rows>([&](auto r) LIMELIGHT_INLINE {
    times<columnTiles>([&](auto c) LIMELIGHT_INLINE {
      sums[r][c] = _mm512_setzero_si512();
      if (!first) sums[r][c] = _mm512_load_si512(to + c * blockNumbers + r * 16);
    });
  });
  for (int k = 0; k < kTiles; k++, a += 1024 - 64) {
#pragma GCC unroll 1
    for (int g = 0; g < 16; g += 4, a += 16, b += 256) {
      times<4>([&](auto i) LIMELIGHT_INLINE {
        __m512i w[columnTiles];
        times<columnTiles>([&](auto c) LIMELIGHT_INLINE { w[c] = _mm512_loadu_si512(b + c * bStride + i * 64); });
        times<rows>([&](auto r) LIMELIGHT_INLINE {
          int32_t four;
          __builtin_memcpy(&four, a + r * 64 + i * 4, 4);
          const __m512i x = _mm512_set1_epi32(four);
          times<columnTiles>([&](auto c) LIMELIGHT_INLINE { sums[r][c] = multiplyAdd<format>(sums[r][c], x, w[c]); });
        });
      });
    }
  }
  times<rows>([&](auto r) LIMELIGHT_INLINE {
    times<columnTiles>([&](auto c) LIMELIGHT_INLINE {
      _mm512_store_si512(to + c * blockNumbers + r * 16, sums[r][c]);
    });
  });
}

template <Format format>
void multiplyPiece(const Piece& p) {
  for (int row = 0; row < p.rows; row += 8) {
    const std::byte* a = p.a + row / 16 * p.aStride + row % 16 * tileRowBytes;
    float* to = p.sums + row / 16 * columnTilesAtOnce * blockNumbers + row % 16 * 16;
    if (p.columnTiles == 3) {
      multiplyRows<format, 8, 3>(a, p.b, p.bStride, p.kTiles, p.first, to);
    } else if (p.columnTiles == 2) {
      multiplyRows<format, 8, 2>(a, p.b, p.bStride, p.kTiles, p.first, to);
    } else {
      multiplyRows<format, 8, 1>(a, p.b, p.bStride, p.kTiles, p.first, to);
    }
  }
}

/// 16 independent chains of `rounds` multiply-adds.
template <Format format>
uint64_t multiplyAddRounds(uint64_t rounds) {
  __m512i sums[16] = {};
  __m512i a = _mm512_set1_epi32(0x01010101), b = _mm512_set1_epi32(0x00010001);
  for (uint64_t i = 0; i < rounds; i++) {
    times<16>([&](auto s) LIMELIGHT_INLINE {
      sums[s] = multiplyAdd<format>(sums[s], a, b);
      asm volatile("" : "+v"(sums[s]));
    });
  }
  return rounds * 16 * 16 * (format == Format::f32 ? 1 : format == Format::bf16 ? 2 : 4);
}

}  // namespace
}  // namespace limelight
