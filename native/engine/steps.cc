#include "program.h"

#include <algorithm>

// Turns each step of a program into calls of kernels, with every pointer it needs.

namespace limelight {
namespace {

int stagedRows(Stage stage, int blockRows) { return stage == Stage::request ? 1 : blockRows; }

}  // namespace

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
  float* sums = buffer(stagedRows(stage, spec_.blockRows)).get();
  std::vector<std::pair<const float* const*, int>> inputs;
  for (const Slice& slice : step.inputs) inputs.push_back({view(slice, stage).floats(), slice.width});
  stepsOf(stage).push_back([&k, y, bias, sums, inputs](int rows) {
    for (int row = 0; row < rows; row++) sums[row] = bias;
    for (const auto& [x, width] : inputs) k.sum(rows, x, width, sums);
    for (int row = 0; row < rows; row++) y[row][0] = sums[row];
  });
}

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
  const int rowCount = stagedRows(stage, spec_.blockRows);
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

/// Copies a kept value from the block it was computed in to the records of the missing rows.
void Program::addStore(int index) {
  const RowKernels& k = kernels_.rows;
  const ValueSpec& value = spec_.values[index];
  Records& records = records_[int(value.stage) - 1];
  const float* const* x = whole(index).floats();
  // The records' pointers are set by `fillRecords` just before.
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
