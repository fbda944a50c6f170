#pragma once
#include "kernels.h"

namespace limelight {

/// Multiply-adds a nanosecond of one core on registers alone: the peak of a number format on an instruction set.
double measurePeak(const Kernels& kernels, Format format, double seconds);

/// Multiply-adds a nanosecond of a product [rows, k] × [k, n] as the engine runs it: tiles of the format in, bias, ReLU,
/// tiles of the same format out. 0 where the format is not supported.
double measureProduct(const Kernels& kernels, Format format, int rows, int k, int n, double seconds);

/// Bytes a nanosecond that one core reads from random places of a buffer of `bytes`, `recordBytes` at a time, a few
/// records prefetched ahead.
double measureRead(size_t bytes, size_t recordBytes, double seconds);

}  // namespace limelight
