#include "rowKernels.h"

namespace limelight {

extern const RowKernels rowsAmx;
constexpr RowKernels rowsAmx = rowKernels;

}  // namespace limelight
