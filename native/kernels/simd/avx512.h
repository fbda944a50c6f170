#pragma once
#include <immintrin.h>

namespace limelight {
namespace {

struct Vec {
  static constexpr int lanes = 16;
  __m512 v;

  static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }

  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec of(float x) { return {_mm512_set1_ps(x)}; }
  static Vec ofIntegers(const int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vec load(const float* p, int n) {
    return n == lanes ? load(p) : Vec{_mm512_maskz_loadu_ps(first(n), p)};
  }
  static Vec fromBf16(__m256i x) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16))};
  }
  static Vec loadBf16(const uint16_t* p) { return fromBf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static Vec loadBf16(const uint16_t* p, int n) {
    return n == lanes ? loadBf16(p) : fromBf16(_mm256_maskz_loadu_epi16(first(n), p));
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(float* p, int n) const {
    n == lanes ? store(p) : _mm512_mask_storeu_ps(p, first(n), v);
  }
  void storeLanes(float* p, int from, int to) const { _mm512_mask_storeu_ps(p - from, first(to) & ~first(from), v); }
  void storeBf16(uint16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bf16()); }
  void storeBf16(uint16_t* p, int n) const {
    n == lanes ? storeBf16(p) : _mm256_mask_storeu_epi16(p, first(n), bf16());
  }
  void storeU8(uint8_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), u8()); }

#if defined(__AMX_TILE__)
  /// The nearest bf16 numbers, ties to even; NaN stays NaN. Processors with tiles have an instruction for it, to which
  /// denormal numbers are 0.
  __m256i bf16() const { return (__m256i)_mm512_cvtneps_pbh(v); }
#else
  __m256i bf16() const { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(bf16Bits(), 16)); }
#endif
  /// The nearest bf16 number, ties to even, in the upper half; NaN stays NaN.
  __m512i bf16Bits() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    return _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
  }
  __m128i u8() const { return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)); }
};

inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vec round(Vec x) { return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Vec roundBf16(Vec x) {
#if defined(__AMX_TILE__)
  return Vec::fromBf16(x.bf16());
#else
  return {_mm512_castsi512_ps(_mm512_and_si512(x.bf16Bits(), _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
#endif
}
inline Vec scale(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }
inline float sumLanes(Vec x) { return _mm512_reduce_add_ps(x.v); }
inline float maxLanes(Vec x) { return _mm512_reduce_max_ps(x.v); }

/// Adds pairs of vectors: their halves, then quarters, … side by side, until one vector holds one sum a lane.
inline Vec sumsOf(const Vec* x) {
  __m512 quads[4];
  for (int i = 0; i < 4; i++) {
    const __m512 a = x[4 * i].v, b = x[4 * i + 1].v, c = x[4 * i + 2].v, d = x[4 * i + 3].v;
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    quads[i] = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  }
  // A quad holds, in each of its four 128-bit parts, partial sums of x[4i] … x[4i + 3].
  const __m512 low = _mm512_add_ps(_mm512_shuffle_f32x4(quads[0], quads[1], 0x88),
                                   _mm512_shuffle_f32x4(quads[0], quads[1], 0xdd));
  const __m512 high = _mm512_add_ps(_mm512_shuffle_f32x4(quads[2], quads[3], 0x88),
                                    _mm512_shuffle_f32x4(quads[2], quads[3], 0xdd));
  return {_mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd))};
}

inline void transpose(Vec* x) {
  __m512 pairs[16], quads[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(x[i].v, x[i + 1].v);
    pairs[i + 1] = _mm512_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int half = 0; half < 2; half++) {
      const __m512d a = _mm512_castps_pd(pairs[i + half]), b = _mm512_castps_pd(pairs[i + 2 + half]);
      quads[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      quads[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
  // The 128-bit part p of quads[4i + c] is column 4p + c of rows 4i to 4i + 3.
  for (int c = 0; c < 4; c++) {
    const __m512 even = _mm512_shuffle_f32x4(quads[c], quads[4 + c], 0x88);
    const __m512 odd = _mm512_shuffle_f32x4(quads[c], quads[4 + c], 0xdd);
    const __m512 evenBelow = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], 0x88);
    const __m512 oddBelow = _mm512_shuffle_f32x4(quads[8 + c], quads[12 + c], 0xdd);
    x[c].v = _mm512_shuffle_f32x4(even, evenBelow, 0x88);
    x[4 + c].v = _mm512_shuffle_f32x4(odd, oddBelow, 0x88);
    x[8 + c].v = _mm512_shuffle_f32x4(even, evenBelow, 0xdd);
    x[12 + c].v = _mm512_shuffle_f32x4(odd, oddBelow, 0xdd);
  }
}

}  // namespace
}  // namespace limelight
