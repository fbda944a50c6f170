#pragma once
#include <immintrin.h>

#include <cstring>

namespace limelight {
namespace {

struct Vec {
  static constexpr int lanes = 8;
  __m256 v;

  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec of(float x) { return {_mm256_set1_ps(x)}; }
  static Vec ofIntegers(const int32_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vec load(const float* p, int n) {
    return n == lanes ? load(p) : Vec{_mm256_maskload_ps(p, first(n))};
  }
  static Vec loadBf16(const uint16_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16))};
  }
  static Vec loadBf16(const uint16_t* p, int n) {
    if (n == lanes) return loadBf16(p);
    uint16_t whole[lanes] = {};
    std::memcpy(whole, p, 2 * static_cast<size_t>(n));
    return loadBf16(whole);
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(float* p, int n) const {
    n == lanes ? store(p) : _mm256_maskstore_ps(p, first(n), v);
  }
  void storeLanes(float* p, int from, int to) const {
    _mm256_maskstore_ps(p - from, _mm256_andnot_si256(first(from), first(to)), v);
  }
  void storeBf16(uint16_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bf16()); }
  void storeBf16(uint16_t* p, int n) const {
    if (n == lanes) return storeBf16(p);
    const __m128i x = bf16();
    std::memcpy(p, &x, 2 * static_cast<size_t>(n));
  }
  void storeU8(uint8_t* p) const {
    const __m128i shorts = packed(_mm256_cvtps_epi32(v));
    const __m128i bytes = _mm_packus_epi16(shorts, shorts);
    std::memcpy(p, &bytes, lanes);
  }

  static __m128i packed(__m256i x) {
    return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  }
  /// The nearest bf16 number, ties to even, in the upper half; NaN stays NaN.
  __m256i bf16Bits() const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
  }
  __m128i bf16() const { return packed(_mm256_srli_epi32(bf16Bits(), 16)); }
};

inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec round(Vec x) { return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Vec roundBf16(Vec x) {
  return {_mm256_castsi256_ps(_mm256_and_si256(x.bf16Bits(), _mm256_set1_epi32(static_cast<int>(0xffff0000u))))};
}
inline Vec scale(Vec x, Vec n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(x.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}
inline float sumLanes(Vec x) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
}
inline float maxLanes(Vec x) {
  __m128 most = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  most = _mm_max_ps(most, _mm_movehl_ps(most, most));
  return _mm_cvtss_f32(_mm_max_ss(most, _mm_shuffle_ps(most, most, 1)));
}

/// Adds pairs of vectors: their halves, then quarters, … side by side, until one vector holds one sum a lane.
inline Vec sumsOf(const Vec* x) {
  __m256 quads[2];
  for (int i = 0; i < 2; i++) {
    const __m256 ab = _mm256_hadd_ps(x[4 * i].v, x[4 * i + 1].v), cd = _mm256_hadd_ps(x[4 * i + 2].v, x[4 * i + 3].v);
    quads[i] = _mm256_hadd_ps(ab, cd);
  }
  // A quad holds, in both of its 128-bit halves, partial sums of x[4i] … x[4i + 3].
  return {_mm256_add_ps(_mm256_permute2f128_ps(quads[0], quads[1], 0x20),
                        _mm256_permute2f128_ps(quads[0], quads[1], 0x31))};
}

inline void transpose(Vec* x) {
  __m256 pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(x[i].v, x[i + 1].v);
    pairs[i + 1] = _mm256_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int half = 0; half < 2; half++) {
      quads[i + 2 * half] = _mm256_shuffle_ps(pairs[i + half], pairs[i + 2 + half], 0x44);
      quads[i + 2 * half + 1] = _mm256_shuffle_ps(pairs[i + half], pairs[i + 2 + half], 0xee);
    }
  }
  // The 128-bit half p of quads[4i + c] is column 4p + c of rows 4i to 4i + 3.
  for (int c = 0; c < 4; c++) {
    x[c].v = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x20);
    x[4 + c].v = _mm256_permute2f128_ps(quads[c], quads[4 + c], 0x31);
  }
}

}  // namespace
}  // namespace limelight
