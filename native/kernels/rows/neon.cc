#include "rowKernels.h"

namespace limelight {

extern const RowKernels rowsNeon;
constexpr RowKernels rowsNeon = rowKernels;

}  // namespace limelight
