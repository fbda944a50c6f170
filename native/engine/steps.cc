#include "program.h"

#include <algorithm>

// Turns each step of a program into calls of kernels, with every pointer it needs.

namespace limelight {

void Program::addStep(size_t index) {
  const StepSpec& step = spec_.steps[index];
  switch (step.op) {
    case Op::embed:
    case Op::input:
      return addEmbed(step);
    case Op::projectField:
      return spec_.values[step.output].stage == Stage::request ? addProjection(step) : addPlain(step);
    case Op::gate:
      return addGate(step);
    case Op::multiply:
      return addMultiply(step);
    case Op::affine:
      return step.matrix ? addMatrixAffine(index) : addRowAffine(step);
    case Op::sum:
      return addSum(step);
    case Op::embedSequence:
      return addEmbedSequence(step);
    case Op::projectSequence:
    case Op::attend:
    case Op::poolMean:
    case Op::eventMask:
      return addOverSequence(step);
    default:
      return addPlain(step);
  }
}

void Program::addEmbed(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  auto& steps = stepsOf(spec_.values[step.output].stage);
  float* const* out = whole(step.output).out();
  const TileTarget* tiles = directTiles(step.output);
  const bool hasRows = needsRows(step.output);
  if (spec_.values[step.output].stage == Stage::request) addPrefetch(step);
  int offset = 0;
  for (const EmbedPart& part : step.parts) {
    const Column& column = columns_[part.column];
    const ColumnSpec& spec = spec_.columns[part.column];
    const int to = offset;
    offset += part.size;
    if (spec.kind == ColumnSpec::Kind::dense) {
      steps.push_back([&column, out, to, size = part.size](int rows) {
        for (int row = 0; row < rows; row++) std::copy_n(column.values + size_t(row) * size, size, out[row] + to);
      });
      continue;
    }
    const Table table{spec_.weights[part.weight].values, part.size};
    const bool isPerRow = spec.stage == Stage::row || spec.stage == Stage::candidate;
    if (spec.kind == ColumnSpec::Kind::id && isPerRow && 4 * spec_.weights[part.weight].length > nearTableBytes)
      farTables_.push_back({&column, table});
    if (tiles != nullptr) {
      TileTarget target = *tiles;
      target.column += to;
      if (target.inverseScales != nullptr) target.inverseScales += to;
      steps.push_back([&k, &column, table, target](int rows) { k.gatherToTiles(rows, column.ids, table, target); });
    }
    if (!hasRows) continue;
    if (spec.kind == ColumnSpec::Kind::id)
      steps.push_back([&k, &column, table, out, to](int rows) { k.gather(rows, column.ids, table, out, to); });
    else
      steps.push_back([&k, &column, table, out, to, mean = spec.mean](int rows) {
        k.gatherLists(rows, column.offsets, column.ids, mean, table, out, to);
      });
  }
}

/// A request's rows lie in as many tables as it has fields: all are asked for before the first is read.
void Program::addPrefetch(const StepSpec& step) {
  std::vector<std::pair<const Column*, Table>> tables;
  for (const EmbedPart& part : step.parts)
    if (spec_.columns[part.column].kind == ColumnSpec::Kind::id)
      tables.push_back({&columns_[part.column], {spec_.weights[part.weight].values, part.size}});
  requestSteps_.push_back([tables](int) {
    for (const auto& [column, table] : tables) {
      const float* row = table.values + size_t(column->ids[0]) * table.size;
      for (int d = 0; d < table.size; d += 16) __builtin_prefetch(row + d);
    }
  });
}

void Program::addGate(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const ValueSpec& value = spec_.values[step.output];
  const ValueSpec& input = spec_.values[step.inputs[0].value];
  const bool isBf16 = input.keptAsBf16 && input.stage != value.stage;
  const View& x = view(step.inputs[0], value.stage);
  const View& gates = view(step.inputs[1], value.stage);
  float* const* out = needsRows(step.output) ? whole(step.output).out() : nullptr;
  const TileTarget* tiles = directTiles(step.output);
  stepsOf(value.stage).push_back([&k, &step, &x, &gates, isBf16, out, tiles](int rows) {
    k.gate(rows, x.rows.get(), isBf16, gates.floats(), step.sizes.data(), int(step.sizes.size()), out, tiles);
  });
}

void Program::addMultiply(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const Stage stage = spec_.values[step.output].stage;
  const int width = spec_.values[step.output].width;
  auto& steps = stepsOf(stage);
  const View& y = whole(step.output);
  const float* const* a = view(step.inputs[0], stage).floats();
  if (step.inputs.size() == 1) {
    steps.push_back([&k, a, &y, width](int rows) { k.copy(rows, a, width, y.out()); });
    return;
  }
  float* const* out = needsRows(step.output) ? y.out() : nullptr;
  for (size_t i = 1; i < step.inputs.size(); i++, a = y.floats()) {
    const ValueSpec& input = spec_.values[step.inputs[i].value];
    const View& b = view(step.inputs[i], stage);
    const bool isBf16 = input.keptAsBf16 && input.stage != stage;
    const TileTarget* tiles = i + 1 == step.inputs.size() ? directTiles(step.output) : nullptr;
    steps.push_back([&k, a, &b, isBf16, width, out, tiles](int rows) { k.multiply(rows, a, b.rows.get(), isBf16, width, out, tiles); });
  }
}

void Program::addPlain(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const Stage stage = spec_.values[step.output].stage;
  const int width = spec_.values[step.output].width;
  auto& steps = stepsOf(stage);
  float* const* y = whole(step.output).out();
  const float* const* same = whole(step.output).floats();
  std::vector<const View*> inputs;
  for (const Slice& slice : step.inputs) inputs.push_back(&view(slice, stage));
  const float* const* x = inputs[0]->floats();
  const int inputWidth = step.inputs[0].width;
  switch (step.op) {
    case Op::means:
      steps.push_back([&k, &step, x, y](int rows) { k.means(rows, x, step.sizes.data(), int(step.sizes.size()), y); });
      return;
    case Op::projectField: {
      const float* w = spec_.weights[step.weight].values + size_t(step.firstRow) * step.units;
      steps.push_back([&k, &step, x, y, w](int rows) {
        for (int row = 0; row < rows; row++)
          k.projectFields(x[row], step.sizes.data(), int(step.sizes.size()), w, step.units, y[row]);
      });
      return;
    }
    case Op::inner:
      steps.push_back([&k, x, y, f = step.fieldCount, size = inputWidth / step.fieldCount](int rows) { k.inner(rows, x, f, size, y); });
      return;
    case Op::fm:
      steps.push_back([&k, x, y, f = step.fieldCount, size = inputWidth / step.fieldCount](int rows) { k.fm(rows, x, f, size, y); });
      return;
    case Op::softmax:
      steps.push_back([&k, x, y, width](int rows) { k.softmax(rows, x, width, y); });
      return;
    case Op::multiplyAdd:
      steps.push_back([&k, x, b = inputs[1]->floats(), c = inputs[2]->floats(), y, width](int rows) {
        k.multiplyAdd(rows, x, b, c, width, y);
      });
      return;
    case Op::concat: {
      int from = 0;
      for (size_t i = 0; i < inputs.size(); i++) {
        const View& to = view({step.output, from, step.inputs[i].width}, stage);
        steps.push_back([&k, in = inputs[i]->floats(), width = step.inputs[i].width, to = to.out()](int rows) {
          k.copy(rows, in, width, to);
        });
        from += step.inputs[i].width;
      }
      return;
    }
    default:  // add
      if (inputs.size() == 1) steps.push_back([&k, x, y, width](int rows) { k.copy(rows, x, width, y); });
      for (size_t i = 1; i < inputs.size(); i++) {
        const float* const* a = i == 1 ? x : same;
        steps.push_back([&k, a, b = inputs[i]->floats(), y, width](int rows) { k.add(rows, a, b, width, y); });
      }
  }
}

void Program::addSum(const StepSpec& step) {
  const RowKernels& k = kernels_.rows;
  const Stage stage = spec_.values[step.output].stage;
  float* const* y = whole(step.output).out();
  const float bias = step.weight < 0 ? 0 : spec_.weights[step.weight].values[0];
  float* sums = buffer(stagedRows(stage)).get();
  std::vector<std::pair<const float* const*, int>> inputs;
  for (const Slice& slice : step.inputs) inputs.push_back({view(slice, stage).floats(), slice.width});
  stepsOf(stage).push_back([&k, y, bias, sums, inputs](int rows) {
    for (int row = 0; row < rows; row++) sums[row] = bias;
    for (const auto& [x, width] : inputs) k.sum(rows, x, width, sums);
    for (int row = 0; row < rows; row++) y[row][0] = sums[row];
  });
}

/// Copies a kept value from the block it was computed in to the records of the missing rows.
void Program::addStore(int index) {
  const RowKernels& k = kernels_.rows;
  const ValueSpec& value = spec_.values[index];
  Records& records = records_[int(value.stage) - 1];
  const float* const* x = whole(index).floats();
  // The records' pointers are set by `findRecords` just before.
  auto pointers = std::make_shared<Aligned<void*>>(spec_.blockRows);
  records.steps.push_back([&k, &records, x, pointers, width = value.width, narrow = value.keptAsBf16,
                           offset = recordOffsets_[index]](int rows) {
    void** to = pointers->get();
    for (int i = 0; i < rows; i++) to[i] = records.at[records.now[i]] + offset;
    if (narrow)
      k.narrow(rows, x, width, reinterpret_cast<uint16_t* const*>(to));
    else
      k.copy(rows, x, width, reinterpret_cast<float* const*>(to));
  });
}

}  // namespace limelight
