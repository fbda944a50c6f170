#pragma once
#include <arm_neon.h>

#include <cstring>

namespace limelight {
namespace {

struct Vec {
  static constexpr int lanes = 4;
  float32x4_t v;

  static Vec zero() { return {vdupq_n_f32(0.0f)}; }
  static Vec of(float x) { return {vdupq_n_f32(x)}; }
  static Vec ofIntegers(const int32_t* p) { return {vcvtq_f32_s32(vld1q_s32(p))}; }
  static Vec load(const float* p) { return {vld1q_f32(p)}; }
  static Vec load(const float* p, int n) {
    if (n == lanes) return load(p);
    float whole[lanes] = {};
    std::memcpy(whole, p, 4 * static_cast<size_t>(n));
    return load(whole);
  }
  static Vec loadBf16(const uint16_t* p) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))}; }
  static Vec loadBf16(const uint16_t* p, int n) {
    if (n == lanes) return loadBf16(p);
    uint16_t whole[lanes] = {};
    std::memcpy(whole, p, 2 * static_cast<size_t>(n));
    return loadBf16(whole);
  }
  void store(float* p) const { vst1q_f32(p, v); }
  void store(float* p, int n) const {
    if (n == lanes) return store(p);
    float whole[lanes];
    store(whole);
    std::memcpy(p, whole, 4 * static_cast<size_t>(n));
  }
  void storeLanes(float* p, int from, int to) const {
    float whole[lanes];
    store(whole);
    for (int i = from; i < to; i++) p[i - from] = whole[i];
  }
  void storeBf16(uint16_t* p) const { vst1_u16(p, vshrn_n_u32(bf16Bits(), 16)); }
  void storeBf16(uint16_t* p, int n) const {
    if (n == lanes) return storeBf16(p);
    uint16_t whole[lanes];
    storeBf16(whole);
    std::memcpy(p, whole, 2 * static_cast<size_t>(n));
  }
  void storeU8(uint8_t* p) const {
    const uint16x4_t shorts = vqmovun_s32(vcvtnq_s32_f32(v));
    uint8_t whole[8];
    vst1_u8(whole, vqmovn_u16(vcombine_u16(shorts, shorts)));
    std::memcpy(p, whole, lanes);
  }

  /// The nearest bf16 number, ties to even, in the upper half; NaN stays NaN.
  uint32x4_t bf16Bits() const {
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
    return vbslq_u32(vceqq_f32(v, v), rounded, vorrq_u32(bits, vdupq_n_u32(0x400000)));
  }
};

inline Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
inline Vec round(Vec x) { return {vrndnq_f32(x.v)}; }
inline Vec roundBf16(Vec x) {
  return {vreinterpretq_f32_u32(vandq_u32(x.bf16Bits(), vdupq_n_u32(0xffff0000u)))};
}
inline Vec scale(Vec x, Vec n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127));
  return {vmulq_f32(x.v, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)))};
}
inline float sumLanes(Vec x) { return vaddvq_f32(x.v); }
inline float maxLanes(Vec x) { return vmaxvq_f32(x.v); }
inline Vec sumsOf(const Vec* x) {
  return {vpaddq_f32(vpaddq_f32(x[0].v, x[1].v), vpaddq_f32(x[2].v, x[3].v))};
}

inline void transpose(Vec* x) {
  const auto pairs = [x](int i) { return vtrnq_f32(x[i].v, x[i + 1].v); };  // of columns 0 and 2, and of 1 and 3
  const float32x4x2_t above = pairs(0), below = pairs(2);
  for (int c = 0; c < 2; c++) {
    x[c].v = vcombine_f32(vget_low_f32(above.val[c]), vget_low_f32(below.val[c]));
    x[2 + c].v = vcombine_f32(vget_high_f32(above.val[c]), vget_high_f32(below.val[c]));
  }
}

}  // namespace
}  // namespace limelight
