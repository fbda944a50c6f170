#include "rowKernels.h"

namespace limelight {

extern const RowKernels rowsAvx512;
constexpr RowKernels rowsAvx512 = rowKernels;

}  // namespace limelight
