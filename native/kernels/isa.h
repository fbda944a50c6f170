#pragma once
#include <vector>

#include "kernels.h"

namespace limelight {

/// The instruction sets this build has and this machine runs, the fastest first; `scalar` is always the last.
/// AMX is among them only if the system grants its tiles (arch_prctl, once a process).
const std::vector<const Kernels*>& availableKernels();

/// The kernels called `name`, the fastest for an empty name, nullptr if this machine lacks them.
const Kernels* kernelsNamed(const char* name);

}  // namespace limelight
