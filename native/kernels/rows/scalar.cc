#define LIMELIGHT_SCALAR
#include "rowKernels.h"

namespace limelight {

extern const RowKernels rowsScalar;
constexpr RowKernels rowsScalar = rowKernels;

}  // namespace limelight
