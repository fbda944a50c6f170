#include "pack.h"

#include <cstring>

#include "memory.h"

namespace limelight {
namespace {

constexpr size_t lineUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// The weights of one product of a step.
struct PackedProduct {
  size_t step, term;
  Format format;
  const float* w;
  int k, units;
  const std::vector<float>* inverseScales;
};

/// Calls `visit(product, offset of its weights, offset of its scales)` for every packed product, in order; returns the end.
template <typename Visit>
size_t forEachPacked(const ProgramSpec& spec, const Kernels& kernels, Visit visit) {
  size_t at = 0;
  const auto add = [&](const PackedProduct& product) {
    const size_t weights = at;
    at += lineUp(kernels.matrix.packedBytes(product.format, product.k, product.units));
    const size_t scales = at;
    if (product.format == Format::u8) at += 2 * sizeof(float) * roundUp16(product.units);
    visit(product, weights, scales);
  };
  for (size_t s = 0; s < spec.steps.size(); s++) {
    const StepSpec& step = spec.steps[s];
    if (!step.matrix) continue;
    for (size_t t = 0; t < step.terms.size(); t++) {
      const TermSpec& term = step.terms[t];
      if (term.kind != TermSpec::Kind::product) continue;
      const float* w = spec.weights[term.weight].values + size_t(term.firstRow) * step.units;
      add({s, t, term.format, w, term.input.width, step.units, &term.inverseScales});
    }
  }
  return at;
}

}  // namespace

size_t packedBytes(const ProgramSpec& spec, const Kernels& kernels) {
  return forEachPacked(spec, kernels, [](const PackedProduct&, size_t, size_t) {});
}

void packWeights(const ProgramSpec& spec, const Kernels& kernels, std::byte* out) {
  forEachPacked(spec, kernels, [&](const PackedProduct& product, size_t weights, size_t scales) {
    const auto& [step, term, format, w, k, units, inverseScales] = product;
    std::vector<float> rowScale;
    float* columnScale = nullptr;
    if (format == Format::u8) {
      for (float inverse : *inverseScales) rowScale.push_back(1 / inverse);
      columnScale = reinterpret_cast<float*>(out + scales);
      std::memset(columnScale, 0, 2 * sizeof(float) * roundUp16(units));
    }
    kernels.matrix.packWeights(format, w, k, units, units, columnScale ? rowScale.data() : nullptr, out + weights,
                               columnScale, columnScale ? columnScale + roundUp16(units) : nullptr);
  });
}

std::vector<std::vector<PackedTerm>> locatePacked(const ProgramSpec& spec, const Kernels& kernels, const std::byte* packed) {
  std::vector<std::vector<PackedTerm>> located(spec.steps.size());
  for (size_t s = 0; s < spec.steps.size(); s++) located[s].resize(spec.steps[s].terms.size());
  forEachPacked(spec, kernels, [&](const PackedProduct& product, size_t weights, size_t scales) {
    PackedTerm& term = located[product.step][product.term];
    term.weights = packed + weights;
    if (product.format != Format::u8) return;
    term.columnScale = reinterpret_cast<const float*>(packed + scales);
    term.columnSum = term.columnScale + roundUp16(product.units);
  });
  return located;
}

}  // namespace limelight
