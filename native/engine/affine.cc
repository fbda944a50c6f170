#include "program.h"

#include <algorithm>

// Layers, y = act(Σ x·W + Σ of vectors + b): row by row, or by the matrix kernels.

namespace limelight {

/// A bias for all rows of a step: its own, less what zero points add, plus the request's vectors among its terms, which are
/// added once a call.
const float* Program::biasOf(const StepSpec& step, int columns, Stage stage, const std::vector<PackedTerm>* packed) {
  float* fixed = buffer(columns).get();
  if (step.weight >= 0) std::copy_n(spec_.weights[step.weight].values, step.units, fixed);
  bool isZero = step.weight < 0;
  std::vector<const float*> vectors;
  for (size_t t = 0; t < step.terms.size(); t++) {
    const TermSpec& term = step.terms[t];
    if (term.kind == TermSpec::Kind::value && spec_.values[term.input.value].stage == Stage::request && stage != Stage::request)
      vectors.push_back(values_[term.input.value].get() + term.input.from);
    if (packed == nullptr || (*packed)[t].columnSum == nullptr || term.zero == 0) continue;
    isZero = false;
    for (int i = 0; i < step.units; i++) fixed[i] -= float(term.zero) * (*packed)[t].columnSum[i];
  }
  if (vectors.empty()) return isZero ? nullptr : fixed;
  float* bias = buffer(columns).get();
  requestSteps_.push_back([fixed, bias, vectors, units = step.units](int) {
    for (int i = 0; i < units; i++) bias[i] = fixed[i];
    for (const float* vector : vectors)
      for (int i = 0; i < units; i++) bias[i] += vector[i];
  });
  return bias;
}

/// The other rows to be added to a step's sum: vectors of ads or candidates, and gated sums of an ad's projections.
/// @param columns that must be readable and hold numbers, beyond `units` any finite
/// @param except a term that is added otherwise
const float* const* Program::addedOf(const StepSpec& step, int columns, Stage stage, const TermSpec* except) {
  const RowKernels& k = kernels_.rows;
  const int units = step.units;
  std::vector<const TermSpec*> terms;
  for (const TermSpec& term : step.terms) {
    if (&term == except) continue;
    const bool isVector = term.kind == TermSpec::Kind::value;
    const Stage of = spec_.values[isVector ? term.input.value : term.fields >= 0 ? term.fields : term.input.value].stage;
    if (isVector ? of != Stage::request || stage == Stage::request
                 : term.kind == TermSpec::Kind::gatedSum && (of != Stage::request || !step.matrix))
      terms.push_back(&term);
  }
  if (terms.empty()) return nullptr;
  const auto isNarrow = [&](const TermSpec* term) {
    const ValueSpec& value = spec_.values[term->input.value];
    return term->kind == TermSpec::Kind::value && value.keptAsBf16 && value.stage != stage;
  };
  const auto order = [&](const TermSpec* term) { return term->kind == TermSpec::Kind::gatedSum ? 0 : isNarrow(term) ? 2 : 1; };
  std::stable_sort(terms.begin(), terms.end(), [&](auto a, auto b) { return order(a) < order(b); });
  const int rowCount = stagedRows(stage);
  float* sums = buffer(size_t(rowCount) * columns).get();
  rowTables_.emplace_back(rowCount);
  float** rowsOfSums = rowTables_.back().get();
  for (int row = 0; row < rowCount; row++) rowsOfSums[row] = sums + size_t(row) * columns;
  auto& steps = stepsOf(stage);
  const float* const* sum = nullptr;  // of the terms so far
  for (const TermSpec* term : terms) {
    const View& x = view(term->input, stage);
    if (term->kind == TermSpec::Kind::gatedSum) {
      const float* const* fields = view({term->fields, 0, spec_.values[term->fields].width}, stage).floats();
      steps.push_back([&k, x = x.floats(), fields, count = term->input.width, units, more = sum != nullptr, rowsOfSums](int rows) {
        k.gatedSum(rows, x, fields, count, units, more, rowsOfSums);
      });
    } else if (isNarrow(term)) {
      const auto halves = reinterpret_cast<const uint16_t* const*>(x.rows.get());
      steps.push_back([&k, sum, halves, units, rowsOfSums](int rows) {
        sum ? k.addWidened(rows, sum, halves, units, rowsOfSums) : k.widen(rows, halves, units, rowsOfSums);
      });
    } else if (sum == nullptr) {
      sum = x.floats();
      continue;
    } else {
      steps.push_back([&k, sum, x = x.floats(), units, rowsOfSums](int rows) { k.add(rows, sum, x, units, rowsOfSums); });
    }
    sum = rowsOfSums;
  }
  if (sum == rowsOfSums || columns == units) return sum;
  steps.push_back([&k, sum, units, rowsOfSums](int rows) { k.copy(rows, sum, units, rowsOfSums); });
  return rowsOfSums;
}

/// The term of a matrix product, if any, whose numbers it adds as they are kept.
const TermSpec* Program::addedAsBf16(const StepSpec& step, int columns) const {
  if (columns != step.units) return nullptr;
  for (const TermSpec& term : step.terms) {
    if (term.kind != TermSpec::Kind::value) continue;
    const ValueSpec& value = spec_.values[term.input.value];
    if (value.keptAsBf16 && value.stage != spec_.values[step.output].stage) return &term;
  }
  return nullptr;
}

void Program::addRowAffine(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const Stage stage = spec_.values[step.output].stage;
  const float* bias = biasOf(step, step.units, stage, nullptr);
  const float* const* added = addedOf(step, step.units, stage);
  auto& steps = stepsOf(stage);
  float* const* y = whole(step.output).out();
  const float* const* same = whole(step.output).floats();
  std::vector<const TermSpec*> products;
  for (const TermSpec& term : step.terms)
    if (term.kind == TermSpec::Kind::product) products.push_back(&term);
  // Without a product, one of no columns: act(b + added).
  if (products.empty()) products.push_back(nullptr);
  for (size_t i = 0; i < products.size(); i++) {
    const TermSpec* term = products[i];
    const float* const* x = term ? view(term->input, stage).floats() : same;
    const float* w = term ? spec_.weights[term->weight].values + size_t(term->firstRow) * step.units : nullptr;
    const bool isLast = i + 1 == products.size();
    steps.push_back([&k, x, width = term ? term->input.width : 0, w, b = i == 0 ? bias : nullptr,
                     more = i == 0 ? added : same, units = step.units,
                     activation = isLast ? step.activation : Activation::linear, y](int rows) {
      k.dense(rows, x, width, w, b, more, units, activation, y);
    });
  }
}

void Program::addMatrixAffine(size_t index) {
  const RowKernels& k = kernels_.rows;
  const StepSpec& step = spec_.steps[index];
  const Stage stage = spec_.values[step.output].stage;
  const int columns = roundUp16(step.units);
  MatrixProduct product;
  product.columns = columns;
  product.activation = step.activation;
  product.bias = biasOf(step, columns, stage, &packed_[index]);
  const TermSpec* halves = addedAsBf16(step, columns);
  if (halves) product.addedBf16 = reinterpret_cast<const uint16_t* const*>(view(halves->input, stage).rows.get());
  product.added = addedOf(step, columns, stage, halves);
  auto& steps = stepsOf(stage);
  for (size_t t = 0; t < step.terms.size(); t++) {
    const TermSpec& term = step.terms[t];
    const bool isProduct = term.kind == TermSpec::Kind::product;
    if (!isProduct && (term.kind == TermSpec::Kind::value || spec_.values[term.fields].stage != Stage::request)) continue;
    Tiles& tiles = tilesOf(term.input, stage, term);
    if (!tiles.isWritten) {
      tiles.isWritten = true;
      const float* const* x = view(term.input, stage).floats();
      steps.push_back([&k, x, &tiles](int rows) { k.toTiles(rows, x, tiles.slice.width, tiles.target); });
    }
    const std::byte* b = packed_[index][t].weights;
    if (!isProduct) {
      const int fields = term.input.width;
      const size_t bytes = kernels_.matrix.packedBytes(term.format, fields, step.units);
      tileBuffers_.push_back(std::make_unique<Aligned<std::byte>>(bytes));
      std::byte* to = tileBuffers_.back()->get();
      b = to;
      const float* p = values_[term.fields].get();
      requestSteps_.push_back([this, p, to, fields, units = step.units, format = term.format](int) {
        kernels_.matrix.packRows(format, p, fields, units, units, to);
      });
    }
    if (term.format == Format::u8) product.scale = packed_[index][t].columnScale;
    product.terms[product.termCount++] = {tiles.memory.get(), b, tiles.target.kTiles, term.format};
  }
  if (needsRows(step.output)) {
    product.out = values_[step.output].get();
    product.outStride = roundUp16(spec_.values[step.output].width);
  }
  for (const auto& tiles : tiles_)
    if (tiles->isDirect && tiles->slice.value == step.output) product.tiles[product.tileTargets++] = tiles->target;
  size_t work = 0;
  if (stage == Stage::row || stage == Stage::candidate)
    for (int t = 0; t < product.termCount; t++) work += size_t(product.terms[t].kTiles) * columns / 16;
  blockWork_[int(stage)] += work;
  steps.push_back([this, product, work](int rows) {
    MatrixProduct now = work > 0 ? withLater(product, work) : product;
    now.rows = rows;
    kernels_.matrix.product(now);
  });
}

}  // namespace limelight
