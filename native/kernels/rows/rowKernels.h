#pragma once
#include "attend.h"
#include "dense.h"
#include "fm.h"
#include "gate.h"
#include "gather.h"
#include "gatherLists.h"
#include "gatherSequence.h"
#include "ids.h"
#include "inner.h"
#include "means.h"
#include "numbers.h"
#include "pool.h"
#include "projectSequence.h"
#include "softmax.h"
#include "timesSigmoid.h"
#include "toTiles.h"

namespace limelight {
namespace {

/// The kernels as compiled for the including file's instruction set.
constexpr RowKernels rowKernels = {
    .gather = gather,
    .gatherToTiles = gatherToTiles,
    .gatherLists = gatherLists,
    .gatherSequence = gatherSequence,
    .means = means,
    .gate = gate,
    .inner = inner,
    .fm = fm,
    .dense = dense,
    .projectFields = projectFields,
    .gatedSum = gatedSum,
    .projectSequence = projectSequence,
    .attend = attend,
    .poolMean = poolMean,
    .add = add,
    .addWidened = addWidened,
    .multiply = multiply,
    .multiplyAdd = multiplyAdd,
    .sum = sum,
    .softmax = softmax,
    .copy = copy,
    .narrow = narrow,
    .widen = widen,
    .toTiles = toTiles,
    .timesSigmoid = timesSigmoid,
    .idsInside = idsInside,
    .hashIds = hashIds,
    .hashLists = hashLists,
};

}  // namespace
}  // namespace limelight
