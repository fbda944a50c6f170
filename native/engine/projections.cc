#include "program.h"

#include <algorithm>
#include <utility>

// What a request's ids add to the first layer, kept from request to request.

namespace limelight {

/// P_f = x_f · W_f of a request's fields. Where x_f is a row of a table, so is P_f of another, which is kept as far as the
/// budget goes: a row is computed when it is first asked for.
void Program::addProjection(const StepSpec& step) {
  const float* x = view(step.inputs[0], Stage::request).floats()[0];
  const float* w = spec_.weights[step.weight].values + size_t(step.firstRow) * step.units;
  float* y = values_[step.output].get();
  const bool asBf16 = isReadAsBf16(step.output);
  const size_t first = projections_.size();
  int from = step.inputs[0].from;
  for (int size : step.sizes) {
    const Column* column = idColumnOf(step.inputs[0].value, from, size);
    const size_t tableRows = column ? spec_.columns[column - columns_.data()].tableRows : 0;
    projections_.push_back({column, tableRows, size, step.units, asBf16, x, w, y});
    from += size;
    x += size;
    w += size_t(size) * step.units;
    y += step.units;
  }
  requestSteps_.push_back([this, first, last = projections_.size()](int) {
    for (size_t i = first; i < last; i++) project(projections_[i]);
  });
}

void Program::project(const Projection& p) {
  const RowKernels& k = kernels_.rows;
  std::byte* kept = p.keptRow();
  if (kept == nullptr || !p.isKnown[p.column->ids[0]]) k.projectFields(p.x, &p.size, 1, p.w, p.units, p.y);
  if (kept == nullptr) return;
  const bool isNew = !std::exchange(p.isKnown[p.column->ids[0]], true);
  float* floats = reinterpret_cast<float*>(kept);
  uint16_t* halves = reinterpret_cast<uint16_t*>(kept);
  if (p.asBf16)
    isNew ? k.narrow(1, &p.y, p.units, &halves) : k.widen(1, &halves, p.units, &p.y);
  else
    isNew ? k.copy(1, &p.y, p.units, &floats) : k.copy(1, &floats, p.units, &p.y);
}

/// Whether all that reads a value rounds it to bf16.
bool Program::isReadAsBf16(int value) const {
  for (const StepSpec& step : spec_.steps) {
    for (const Slice& slice : step.inputs)
      if (slice.value == value) return false;
    for (const TermSpec& term : step.terms) {
      if (term.input.value == value) return false;
      if (term.fields == value && !(step.matrix && term.format == Format::bf16)) return false;
    }
  }
  return true;
}

/// The column whose table's rows are numbers `from` to `from + size` of a value, if these are just that.
const Program::Column* Program::idColumnOf(int value, int from, int size) const {
  for (const StepSpec& step : spec_.steps) {
    if (step.output != value || step.op != Op::embed) continue;
    int at = 0;
    for (const EmbedPart& part : step.parts) {
      const bool isId = spec_.columns[part.column].kind == ColumnSpec::Kind::id;
      if (at == from && part.size == size) return isId ? &columns_[part.column] : nullptr;
      at += part.size;
    }
  }
  return nullptr;
}

/// Shares the budget out, small tables first.
void Program::keepProjections() {
  std::vector<Projection*> smallFirst;
  for (Projection& p : projections_)
    if (p.column) smallFirst.push_back(&p);
  const auto isSmaller = [](const Projection* a, const Projection* b) { return a->bytes() < b->bytes(); };
  std::stable_sort(smallFirst.begin(), smallFirst.end(), isSmaller);
  size_t left = keptProjectionBytes;
  for (Projection* p : smallFirst) {
    if (p->bytes() > left) break;
    left -= p->bytes();
    p->isKnown = Aligned<bool>(p->tableRows);
    p->kept = Mapped(p->bytes(), false);  // the first request would clear a huge page a table
  }
}

/// Kept projections are asked for before anything else is done, and read after the records have been found.
void Program::askForProjections() const {
  for (const Projection& p : projections_) {
    if (const std::byte* row = p.keptRow())
      for (size_t at = 0; at < p.rowBytes(); at += 64) __builtin_prefetch(row + at, 0, 2);
  }
}

}  // namespace limelight
