#pragma once
#include <utility>

namespace limelight {
namespace {

#define LIMELIGHT_INLINE __attribute__((always_inline))

/// body(0), …, body(n − 1), with numbers known at compile time: what they index can then live in registers, where loops
/// that the compiler unrolls late leave it in memory.
template <int n, class Body>
LIMELIGHT_INLINE inline void times(Body body) {
  [&]<int... i>(std::integer_sequence<int, i...>) LIMELIGHT_INLINE {
    (body(std::integral_constant<int, i>()), ...);
  }(std::make_integer_sequence<int, n>());
}

}  // namespace
}  // namespace limelight
