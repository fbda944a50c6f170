#include <immintrin.h>

#include "blocks.h"
#include "pack.h"
#include "tables.h"
#include "times.h"

// Products on 256-bit registers: up to 6 rows by 16 columns of sums in registers, 4 bytes along k at a time.

namespace limelight {
namespace {

using Register = __m256i;

inline Register broadcast(const std::byte* four) {
  int32_t word;
  __builtin_memcpy(&word, four, 4);
  return _mm256_set1_epi32(word);
}

inline Register loadRegister(const void* from) { return _mm256_loadu_si256(static_cast<const Register*>(from)); }
inline void storeRegister(void* to, Register x) { _mm256_storeu_si256(static_cast<Register*>(to), x); }

/// The weights of 8 columns, as `multiplyAdd` takes them.
template <Format format>
struct Weights {
  Register first, second = {};

  explicit Weights(const std::byte* from) : first(loadRegister(from)) {
    if constexpr (format == Format::u8) {  // even and odd bytes as 16-bit integers
      second = _mm256_srai_epi16(first, 8);
      first = _mm256_srai_epi16(_mm256_slli_epi16(first, 8), 8);
    }
  }
};

/// The numbers of a row likewise. `VPMADDUBSW` would saturate its sums of two products of bytes.
template <Format format>
struct Numbers {
  Register first, second = {};

  explicit Numbers(const std::byte* from) : first(broadcast(from)) {
    if constexpr (format == Format::u8) {
      second = _mm256_srli_epi16(first, 8);
      first = _mm256_and_si256(first, _mm256_set1_epi16(255));
    }
  }
};

template <Format format>
inline Register multiplyAdd(Register sums, const Numbers<format>& x, const Weights<format>& w) {
  if constexpr (format == Format::u8) {
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x.first, w.first));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(x.second, w.second));
  } else {
    asm("vfmadd231ps %2, %1, %0" : "+x"(sums) : "x"(x.first), "x"(w.first));  // GCC copies sums about otherwise
    return sums;
  }
}

template <Format format, int rows>
inline void multiplyRows(const std::byte* a, const std::byte* b, int kTiles, bool first, float* to) {
  Register sums[rows][2];
  times<rows>([&](auto r) LIMELIGHT_INLINE {
    sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    if (first) return;
    sums[r][0] = loadRegister(to + r * 16);
    sums[r][1] = loadRegister(to + r * 16 + 8);
  });
  for (int k = 0; k < kTiles; k++, a += 1024) {
#pragma GCC unroll 4
    for (int g = 0; g < 16; g++, b += 64) {
      const Weights<format> left(b), right(b + 32);
      times<rows>([&](auto r) LIMELIGHT_INLINE {
        const Numbers<format> x(a + r * 64 + g * 4);
        sums[r][0] = multiplyAdd<format>(sums[r][0], x, left);
        sums[r][1] = multiplyAdd<format>(sums[r][1], x, right);
      });
    }
  }
  times<rows>([&](auto r) LIMELIGHT_INLINE {
    storeRegister(to + r * 16, sums[r][0]);
    storeRegister(to + r * 16 + 8, sums[r][1]);
  });
}

/// 16 rows as 6 + 6 + 4; bytes need more registers for their weights, and go as 4 × 4.
template <Format format>
void multiplyPiece(const Piece& p) {
  constexpr int most = format == Format::u8 ? 4 : 6;
  for (int c = 0; c < p.columnTiles; c++) {
    const std::byte* b = p.b + c * p.bStride;
    for (int row = 0; row < p.rows;) {
      const int inTile = row % 16;
      const std::byte* a = p.a + row / 16 * p.aStride + inTile * tileRowBytes;
      float* to = p.sums + (row / 16 * columnTilesAtOnce + c) * blockNumbers + inTile * 16;
      if (16 - inTile >= most) {
        multiplyRows<format, most>(a, b, p.kTiles, p.first, to);
        row += most;
      } else {
        multiplyRows<format, 4>(a, b, p.kTiles, p.first, to);
        row += 4;
      }
    }
  }
}

void multiply(const Piece& piece) {
  piece.format == Format::u8 ? multiplyPiece<Format::u8>(piece) : multiplyPiece<Format::f32>(piece);
}

template <Format format>
uint64_t multiplyAddRounds(uint64_t rounds) {
  constexpr int chains = 10;
  alignas(32) static const std::byte zeros[64] = {};
  Register sums[chains] = {};
  Numbers<format> x(zeros);
  Weights<format> w(zeros);
  asm volatile("" : "+x"(w.first), "+x"(w.second));  // no longer known to be zero
  for (uint64_t i = 0; i < rounds; i++) {
    times<chains>([&](auto s) LIMELIGHT_INLINE {
      asm volatile("" : "+x"(x.first), "+x"(x.second));  // or all chains would share their products
      sums[s] = multiplyAdd<format>(sums[s], x, w);
      asm volatile("" : "+x"(sums[s]));
    });
  }
  return rounds * chains * 8 * (format == Format::u8 ? 4 : 1);
}

}  // namespace

const MatrixKernels matrixAvx2 = {
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
