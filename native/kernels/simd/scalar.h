#pragma once
#include <cstring>

namespace limelight {
namespace {

struct Vec {
  static constexpr int lanes = 1;
  float v;

  static Vec zero() { return {0.0f}; }
  static Vec of(float x) { return {x}; }
  static Vec ofIntegers(const int32_t* p) { return {static_cast<float>(*p)}; }
  static Vec load(const float* p) { return {*p}; }
  static Vec load(const float* p, int n) { return {n > 0 ? *p : 0.0f}; }
  static Vec loadBf16(const uint16_t* p) { return fromBits(uint32_t{*p} << 16); }
  static Vec loadBf16(const uint16_t* p, int n) { return n > 0 ? loadBf16(p) : zero(); }
  void store(float* p) const { *p = v; }
  void store(float* p, int n) const {
    if (n > 0) *p = v;
  }
  void storeLanes(float* p, int from, int to) const { store(p, to - from); }
  void storeBf16(uint16_t* p) const { *p = static_cast<uint16_t>(bf16Bits() >> 16); }
  void storeBf16(uint16_t* p, int n) const {
    if (n > 0) storeBf16(p);
  }
  void storeU8(uint8_t* p) const { *p = static_cast<uint8_t>(__builtin_lrintf(v)); }

  static Vec fromBits(uint32_t bits) {
    Vec x;
    std::memcpy(&x.v, &bits, 4);
    return x;
  }
  uint32_t bits() const {
    uint32_t b;
    std::memcpy(&b, &v, 4);
    return b;
  }
  /// The nearest bf16 number, ties to even, in the upper half; NaN stays NaN.
  uint32_t bf16Bits() const {
    if (v != v) return bits() | 0x400000;
    return bits() + 0x7fff + ((bits() >> 16) & 1);
  }
};

inline Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
inline Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
inline Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
inline Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
inline Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
inline Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
inline Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
/// For |x| < 2²².
inline Vec round(Vec x) {
  const float shift = 12582912.0f;  // 1.5 · 2²³: adding it leaves no room for a fraction
  volatile float shifted = x.v + shift;
  return {shifted - shift};
}
inline Vec roundBf16(Vec x) { return Vec::fromBits(x.bf16Bits() & 0xffff0000u); }
inline Vec scale(Vec x, Vec n) {
  if (n.v != n.v) return n;
  return x * Vec::fromBits(static_cast<uint32_t>(static_cast<int32_t>(n.v) + 127) << 23);
}
inline float sumLanes(Vec x) { return x.v; }
inline float maxLanes(Vec x) { return x.v; }
inline Vec sumsOf(const Vec* x) { return x[0]; }
inline void transpose(Vec*) {}

}  // namespace
}  // namespace limelight
