#include "pack.h"

#include <cstring>

#include "memory.h"

namespace limelight {
namespace {

constexpr size_t lineUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Calls `visit(step, term, offset of its weights, offset of its scales)` for every packed term, in order; returns the end.
template <typename Visit>
size_t forEachPacked(const ProgramSpec& spec, const Kernels& kernels, Visit visit) {
  size_t at = 0;
  for (size_t s = 0; s < spec.steps.size(); s++) {
    const StepSpec& step = spec.steps[s];
    for (size_t t = 0; t < step.terms.size(); t++) {
      const TermSpec& term = step.terms[t];
      if (!step.matrix || term.kind != TermSpec::Kind::product) continue;
      const size_t weights = at;
      at += lineUp(kernels.matrix.packedBytes(term.format, term.input.width, step.units));
      const size_t scales = at;
      if (term.format == Format::u8) at += 2 * sizeof(float) * roundUp16(step.units);
      visit(s, t, weights, scales);
    }
  }
  return at;
}

}  // namespace

size_t packedBytes(const ProgramSpec& spec, const Kernels& kernels) {
  return forEachPacked(spec, kernels, [](size_t, size_t, size_t, size_t) {});
}

void packWeights(const ProgramSpec& spec, const Kernels& kernels, std::byte* out) {
  forEachPacked(spec, kernels, [&](size_t s, size_t t, size_t weights, size_t scales) {
    const StepSpec& step = spec.steps[s];
    const TermSpec& term = step.terms[t];
    const int units = step.units;
    const float* w = spec.weights[term.weight].values + size_t(term.firstRow) * units;
    std::vector<float> rowScale;
    for (float inverse : term.inverseScales) rowScale.push_back(1 / inverse);
    float* columnScale = nullptr;
    if (term.format == Format::u8) {
      columnScale = reinterpret_cast<float*>(out + scales);
      std::memset(columnScale, 0, 2 * sizeof(float) * roundUp16(units));
    }
    kernels.matrix.packWeights(term.format, w, term.input.width, units, units, columnScale ? rowScale.data() : nullptr,
                               out + weights, columnScale, columnScale ? columnScale + roundUp16(units) : nullptr);
  });
}

std::vector<std::vector<PackedTerm>> locatePacked(const ProgramSpec& spec, const Kernels& kernels, const std::byte* packed) {
  std::vector<std::vector<PackedTerm>> located(spec.steps.size());
  for (size_t s = 0; s < spec.steps.size(); s++) located[s].resize(spec.steps[s].terms.size());
  forEachPacked(spec, kernels, [&](size_t s, size_t t, size_t weights, size_t scales) {
    PackedTerm& term = located[s][t];
    term.weights = packed + weights;
    if (spec.steps[s].terms[t].format != Format::u8) return;
    term.columnScale = reinterpret_cast<const float*>(packed + scales);
    term.columnSum = term.columnScale + roundUp16(spec.steps[s].units);
  });
  return located;
}

}  // namespace limelight
