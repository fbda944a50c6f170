#include <cmath>

#include "program.h"

// The steps over sequences: [length, size] numbers a row, the events that are there first.

namespace limelight {

void Program::addEmbedSequence(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const ValueSpec& value = spec_.values[step.output];
  auto& steps = stepsOf(value.stage);
  float* const* out = whole(step.output).out();
  const int length = step.length, size = value.width / length;
  std::vector<std::pair<const Column*, Table>> lists;
  for (const EmbedPart& part : step.parts)
    lists.push_back({&columns_[part.column], {spec_.weights[part.weight].values, part.size}});
  if (value.stage == Stage::request) steps.push_back([lists](int) { askForRows(lists); });
  int offset = 0;
  for (const auto& [column, table] : lists) {
    steps.push_back([&k, column = column, table = table, length, size, out, offset](int rows) {
      k.gatherSequence(rows, column->offsets, column->ids, table, length, size, out, offset);
    });
    offset += table.size;
  }
  steps.push_back([column = lists[0].first, length, size, out](int rows) {
    for (int row = 0; row < rows; row++) {
      const int count = column->offsets[row + 1] - column->offsets[row];
      for (int e = 0; e < length; e++) out[row][(e + 1) * size - 1] = e < count ? 1.0f : 0.0f;
    }
  });
}

/// The rows that a request's lists name lie anywhere in their tables: all are asked for before the first is read.
void Program::askForRows(const std::vector<std::pair<const Column*, Table>>& lists) {
  for (const auto& [column, table] : lists)
    for (int32_t e = column->offsets[0]; e < column->offsets[1]; e++) {
      const float* row = table.values + size_t(column->ids[e]) * table.size;
      for (int d = 0; d < table.size; d += 16) __builtin_prefetch(row + d);
    }
}

void Program::addOverSequence(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const ValueSpec& value = spec_.values[step.output];
  auto& steps = stepsOf(value.stage);
  float* const* y = whole(step.output).out();
  const float* const* x = view(step.inputs[0], value.stage).floats();
  const int length = step.length;
  switch (step.op) {
    case Op::projectSequence:
      if (step.transposed) return addTransposedKeys(step, x, y);
      steps.push_back([&k, x, length, size = step.inputs[0].width / length, w = spec_.weights[step.weight].values,
                       units = step.units, y](int rows) { k.projectSequence(rows, x, length, size, w, units, y); });
      return;
    case Op::poolMean:
      steps.push_back([&k, x, length, size = value.width, y](int rows) { k.poolMean(rows, x, length, size, y); });
      return;
    case Op::eventMask:
      steps.push_back([x, length, size = step.inputs[0].width / length, y](int rows) {
        for (int row = 0; row < rows; row++)
          // Without any event the first, whose numbers are zeros, gets all weight.
          for (int e = 0; e < length; e++) y[row][e] = e == 0 || x[row][(e + 1) * size - 1] != 0 ? 0 : -INFINITY;
      });
      return;
    default: {  // attend
      const Attention attention{length, step.inputs[0].width, value.width, step.softmax};
      const float* const* keys = view(step.inputs[1], value.stage).floats();
      const float* const* events = view(step.inputs[2], value.stage).floats();
      float* scratch = buffer(attention.scratch()).get();
      steps.push_back([&k, attention, x, keys, events, scratch, y](int rows) {
        k.attend(rows, attention, x, keys, events, scratch, y);
      });
    }
  }
}

/// κᵀ / √units of the request's events, zeros where there is none: candidates' queries times it are their scores.
void Program::addTransposedKeys(const StepSpec& step, const float* const* x, float* const* y) {
  const int length = step.length, units = step.units, size = step.inputs[0].width / length;
  Aligned<float>& keys = buffer(size_t(length) * units);
  requestSteps_.push_back([this, x, y, &keys, length, units, size, w = spec_.weights[step.weight].values](int) {
    float* const to = keys.get();
    kernels_.rows.projectSequence(1, x, length, size, w, units, &to);
    const float scale = 1 / std::sqrt(float(units));
    for (int e = 0; e < length; e++) {
      const float there = x[0][(e + 1) * size - 1] != 0 ? scale : 0;
      for (int u = 0; u < units; u++) y[0][u * length + e] = there * to[e * units + u];
    }
  });
}

/// Whether the lists of each sequence are of the same events, and of no more than it may have.
bool Program::sequencesFit() const {
  for (const StepSpec& step : spec_.steps) {
    if (step.op != Op::embedSequence) continue;
    const int64_t rows = rowsOf(spec_.values[step.output].stage);
    const int32_t* first = columns_[step.parts[0].column].allOffsets;
    for (const EmbedPart& part : step.parts) {
      const int32_t* offsets = columns_[part.column].allOffsets;
      for (int64_t row = 0; row < rows; row++) {
        const int32_t count = offsets[row + 1] - offsets[row];
        if (count > step.length || count != first[row + 1] - first[row]) return false;
      }
    }
  }
  return true;
}

}  // namespace limelight
