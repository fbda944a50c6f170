#include "rowKernels.h"

namespace limelight {

extern const RowKernels rowsAvx2;
constexpr RowKernels rowsAvx2 = rowKernels;

}  // namespace limelight
