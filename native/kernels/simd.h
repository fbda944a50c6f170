#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

// One vector type, `Vec`, for the instruction set that the including file is compiled for: a kernel is written once.
// All names are in an unnamed namespace: files compiled for different instruction sets must never share a function, or
// the linker could pick the wrong one. For the same reason kernels call no templates of the standard library.
//
// Every simd/<isa>.h has
//   lanes, zero(), of(x), ofIntegers(p), load(p[, n]), loadBf16(p[, n]), store(p[, n]), storeBf16(p[, n]), storeU8(p),
//   storeLanes(p, from, to): lanes `from` to `to` to p[0 .. to − from),
//   a + b, a - b, a * b, a / b, fma(a, b, c) = a·b + c, max, min, round (to even), roundBf16, scale(x, n) = x·2ⁿ,
//   sumLanes(x), maxLanes(x), sumsOf(x): lane i is the sum of x[i], transpose(x): of x[0 .. lanes) in place
// With `n`, only the first n ≤ lanes numbers are touched; other lanes load as 0. No pointer needs an alignment.
// max(a, b) is `a > b ? a : b` and min likewise: b if either is NaN.
#if defined(LIMELIGHT_SCALAR)  // rows/scalar.cc and matrix/scalar.cc define it
#include "simd/scalar.h"
#elif defined(__AVX512F__)
#include "simd/avx512.h"
#elif defined(__AVX2__)
#include "simd/avx2.h"
#elif defined(__aarch64__)
#include "simd/neon.h"
#else
#error "define LIMELIGHT_SCALAR: this file is compiled for no vector instruction set"
#endif

namespace limelight {
namespace {

/// eˣ, relative error < 1e-6; NaN for NaN. Saturates at 2.4e38 from x = 88.37 on and at 1.2e-38 below x = −87.33.
/// Cody and Waite's reduction and the polynomial of Cephes' expf.
inline Vec exp(Vec x) {
  x = min(Vec::of(88.3762626f), max(Vec::of(-87.3365447f), x));
  const Vec n = round(x * Vec::of(1.44269504f));
  Vec r = fma(n, Vec::of(-0.693359375f), x);
  r = fma(n, Vec::of(2.12194440e-4f), r);
  Vec p = fma(Vec::of(1.9875691500e-4f), r, Vec::of(1.3981999507e-3f));
  p = fma(p, r, Vec::of(8.3334519073e-3f));
  p = fma(p, r, Vec::of(4.1665795894e-2f));
  p = fma(p, r, Vec::of(1.6666665459e-1f));
  p = fma(p, r, Vec::of(5.0000001201e-1f));
  return scale(fma(p, r * r, r + Vec::of(1.0f)), n);
}

/// 1 / (1 + e⁻ˣ)
inline Vec sigmoid(Vec x) { return Vec::of(1.0f) / (Vec::of(1.0f) + exp(Vec::zero() - x)); }

inline Vec activated(Activation activation, Vec x) {
  switch (activation) {
    case Activation::relu:
      return max(Vec::zero(), x);
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::doubleSigmoid:
      return Vec::of(2.0f) * sigmoid(x);
    default:
      return x;
  }
}

}  // namespace
}  // namespace limelight
