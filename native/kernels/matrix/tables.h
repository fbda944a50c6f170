#pragma once
#include "../kernels.h"

namespace limelight {

extern const MatrixKernels matrixScalar;
extern const MatrixKernels matrixNeon;
extern const MatrixKernels matrixAvx2;
extern const MatrixKernels matrixAvx512;
extern const MatrixKernels matrixAmx;

}  // namespace limelight
