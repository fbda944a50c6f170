#pragma once
#include "spec.h"

namespace limelight {

// The weights of all matrix products as one kernel set wants them, one after the other: a file beside the bundle, mapped by
// every process that serves it.

/// Where the packed form of one product's weights lies.
struct PackedTerm {
  const std::byte* weights = nullptr;
  const float* columnScale = nullptr;  // u8 only, [columns up to the next 16]
  const float* columnSum = nullptr;
};

size_t packedBytes(const ProgramSpec& spec, const Kernels& kernels);

/// Writes `packedBytes` bytes; `spec` has passed `checkSpec`.
void packWeights(const ProgramSpec& spec, const Kernels& kernels, std::byte* out);

/// Of each step its terms; empty where they are not packed.
std::vector<std::vector<PackedTerm>> locatePacked(const ProgramSpec& spec, const Kernels& kernels, const std::byte* packed);

}  // namespace limelight
