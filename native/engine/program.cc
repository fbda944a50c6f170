#include "program.h"

#include <algorithm>

namespace limelight {

Program::Program(ProgramSpec spec, const Kernels& kernels, const std::byte* packed, uint64_t salt)
    : spec_(std::move(spec)), kernels_(kernels), salt_(salt) {
  if (spec_.cacheBytes == 0) keepNothing();
  packed_ = locatePacked(spec_, kernels_, packed);
  columns_.resize(spec_.columns.size());
  values_.resize(spec_.values.size());
  for (Batch* batch : {&batch_, &creatives_[0], &creatives_[1], &creatives_[2]}) {
    batch->hashes = Aligned<uint64_t>(2 * batchRows);
    batch->firsts = Aligned<int32_t>(batchRows + 1);
    batch->found = Aligned<AdCache::Record>(batchRows);
  }
  layOutRecords();
  layOutTiles();
  for (size_t i = 0; i < spec_.values.size(); i++) {
    if (!needsRows(i)) continue;
    const size_t rows = spec_.values[i].stage == Stage::request ? 1 : spec_.blockRows;
    values_[i] = Aligned<float>(rows * roundUp16(spec_.values[i].width));
  }
  for (size_t i = 0; i < spec_.steps.size(); i++) {
    addStep(i);
    if (spec_.values[spec_.steps[i].output].kept) addStore(spec_.steps[i].output);
  }
  keepProjections();
  if (spec_.candidates && !records_[1].keyColumns.empty())
    for (auto& ids : hashedIds_) ids = Aligned<int32_t>(batchRows);
  size_t laterLines = linesOf(records_[0].bytes) + linesOf(records_[1].bytes);
  for (const auto& [column, table] : farTables_) laterLines += linesOf(4 * size_t(table.size));
  later_ = Aligned<uintptr_t>((spec_.candidates ? laterBlocks + 1 : 1) * spec_.blockRows * laterLines + 2 * batchRows);
  for (size_t task = 0; task < spec_.tasks.size(); task++)
    for (int logit : spec_.tasks[task]) logits_.push_back({int(task), &view({logit, 0, 1}, Stage::row)});
}

/// Without a cache there is nothing to find, write or read again: what is an ad's is computed with its candidate or row.
void Program::keepNothing() {
  const auto perRow = [this](Stage stage) {
    if (stage == Stage::ad && spec_.candidates) return Stage::candidate;
    return stage == Stage::ad || stage == Stage::creative ? Stage::row : stage;
  };
  for (ColumnSpec& column : spec_.columns) column.stage = perRow(column.stage);
  for (ValueSpec& value : spec_.values) value = {value.width, perRow(value.stage)};
}

void Program::layOutRecords() {
  recordOffsets_.assign(spec_.values.size(), -1);
  for (Stage stage : {Stage::ad, Stage::creative}) {
    Records& records = records_[int(stage) - 1];
    for (size_t i = 0; i < spec_.values.size(); i++) {
      const ValueSpec& value = spec_.values[i];
      if (!value.kept || value.stage != stage) continue;
      recordOffsets_[i] = int(records.bytes);
      records.bytes += (size_t(value.width) * (value.keptAsBf16 ? 2 : 4) + 15) / 16 * 16;
    }
    if (!records.isUsed()) continue;
    records.bytes = (records.bytes + AdCache::alignment - 1) / AdCache::alignment * AdCache::alignment;
    for (Stage of : {Stage::ad, Stage::creative}) {
      // A creative implies its ad, so its record may hold what depends on both.
      if (of != stage && !(stage == Stage::creative && readsAds())) continue;
      for (size_t i = 0; i < spec_.columns.size(); i++)
        if (spec_.columns[i].stage == of) records.keyColumns.push_back(int(i));
    }
    records.spare = Aligned<std::byte>(records.bytes * batchRows);
    records.at = Aligned<std::byte*>(batchRows);
    records.missing = Aligned<int32_t>(batchRows);
  }
  // The budget is shared so that both kinds of records last equally long: as many of each, or some creatives of each ad.
  const double weights[] = {double(records_[0].bytes), double(records_[1].bytes) * (spec_.candidates ? creativesPerAd : 1)};
  for (int kind = 0; kind < 2; kind++) {
    Records& records = records_[kind];
    if (!records.isUsed()) continue;
    const double share = weights[kind] / (weights[0] + weights[1]);
    records.cache.emplace(records.bytes, size_t(double(spec_.cacheBytes) * share), kind == 1 && spec_.candidates);
  }
}

/// Whether what is a creative's depends on its ad.
bool Program::readsAds() const {
  const auto isAds = [&](int value) { return value >= 0 && spec_.values[value].stage == Stage::ad; };
  return std::any_of(spec_.steps.begin(), spec_.steps.end(), [&](const StepSpec& step) {
    if (spec_.values[step.output].stage != Stage::creative) return false;
    for (const Slice& slice : step.inputs)
      if (isAds(slice.value)) return true;
    for (const TermSpec& term : step.terms)
      if (isAds(term.input.value) || isAds(term.fields)) return true;
    return false;
  });
}

void Program::layOutTiles() {
  for (const StepSpec& step : spec_.steps) {
    if (!step.matrix) continue;
    const Stage stage = spec_.values[step.output].stage;
    for (const TermSpec& term : step.terms) {
      const bool fromRequest = term.kind == TermSpec::Kind::gatedSum && spec_.values[term.fields].stage == Stage::request;
      if (term.kind == TermSpec::Kind::product || fromRequest) tilesOf(term.input, stage, term);
    }
  }
  // The step that makes a value writes its tiles itself where they are the whole of it: a product of matrices two of them, others one.
  for (const StepSpec& step : spec_.steps) {
    int room = step.op == Op::affine ? (step.matrix ? 2 : 0) : step.op == Op::gate || isGathered(step) || (step.op == Op::multiply && step.inputs.size() == 2);
    const ValueSpec& value = spec_.values[step.output];
    for (auto& tiles : tiles_) {
      if (room == 0) break;
      const Slice& slice = tiles->slice;
      if (slice.value != step.output || slice.width != value.width || tiles->stage != value.stage) continue;
      tiles->isDirect = tiles->isWritten = true;
      room--;
    }
  }
}

/// Whether tiles can be gathered, from tables of whole vectors.
bool Program::isGathered(const StepSpec& step) const {
  return step.op == Op::embed && std::all_of(step.parts.begin(), step.parts.end(), [&](const EmbedPart& part) {
    return spec_.columns[part.column].kind == ColumnSpec::Kind::id && part.size % 16 == 0;
  });
}

Program::Tiles& Program::tilesOf(const Slice& slice, Stage stage, const TermSpec& term) {
  for (auto& tiles : tiles_) {
    const Slice& other = tiles->slice;
    if (other.value == slice.value && other.from == slice.from && other.width == slice.width && tiles->stage == stage &&
        tiles->term->format == term.format && tiles->term->inverseScales == term.inverseScales && tiles->term->zero == term.zero)
      return *tiles;
  }
  auto tiles = std::make_unique<Tiles>();
  tiles->slice = slice;
  tiles->stage = stage;
  tiles->term = &term;
  const int kTiles = tilesFor(term.format, slice.width);
  tiles->memory = Aligned<std::byte>(size_t(spec_.blockRows / tileRows) * kTiles * tileBytes(term.format));
  tiles->target = {tiles->memory.get(), term.format, kTiles, 0, nullptr, term.zero};
  if (term.format == Format::u8) {
    tiles->inverseScales = Aligned<float>(roundUp16(slice.width));
    std::copy(term.inverseScales.begin(), term.inverseScales.end(), tiles->inverseScales.get());
    tiles->target.inverseScales = tiles->inverseScales.get();
  }
  tiles_.push_back(std::move(tiles));
  return *tiles_.back();
}

/// Whether a value's numbers are read row by row, by whatever stage: not if all that reads it are tiles its step writes.
bool Program::needsRows(int index) const {
  const ValueSpec& value = spec_.values[index];
  if (value.kept) return true;
  const auto isDirect = [&](const Slice& slice, const TermSpec& term, Stage reader) {
    return std::any_of(tiles_.begin(), tiles_.end(), [&](const auto& tiles) {
      return tiles->isDirect && tiles->stage == reader && tiles->slice.value == slice.value && tiles->slice.from == slice.from &&
             tiles->slice.width == slice.width && tiles->term->format == term.format &&
             tiles->term->inverseScales == term.inverseScales && tiles->term->zero == term.zero;
    });
  };
  for (const StepSpec& step : spec_.steps) {
    for (const Slice& slice : step.inputs)
      if (slice.value == index) return true;
    for (const TermSpec& term : step.terms) {
      if (term.kind == TermSpec::Kind::gatedSum && term.fields == index) return true;
      if (term.input.value != index) continue;
      if (!step.matrix || term.kind == TermSpec::Kind::value || !isDirect(term.input, term, spec_.values[step.output].stage))
        return true;
    }
  }
  for (const auto& task : spec_.tasks)
    if (std::find(task.begin(), task.end(), index) != task.end()) return true;
  return directTiles(index) == nullptr;  // what nothing reads is written all the same
}

const Program::View& Program::view(const Slice& slice, Stage reader) {
  for (const auto& view : views_)
    if (view->slice.value == slice.value && view->slice.from == slice.from && view->reader == reader) return *view;
  const ValueSpec& value = spec_.values[slice.value];
  auto view = std::make_unique<View>();
  view->slice = slice;
  view->reader = reader;
  view->rows = Aligned<void*>(spec_.blockRows);
  view->moves = value.stage != reader && value.stage != Stage::request;
  if (!view->moves) {
    const size_t stride = value.stage == Stage::request ? 0 : roundUp16(value.width);
    for (int row = 0; row < spec_.blockRows; row++) view->rows[row] = values_[slice.value].get() + row * stride + slice.from;
  }
  views_.push_back(std::move(view));
  return *views_.back();
}

/// Those of a value that its step writes: of all but products of matrices the only ones.
const TileTarget* Program::directTiles(int value) const {
  for (const auto& tiles : tiles_)
    if (tiles->isDirect && tiles->slice.value == value) return &tiles->target;
  return nullptr;
}

std::vector<Program::Run>& Program::stepsOf(Stage stage) {
  if (stage == Stage::request) return requestSteps_;
  if (stage == Stage::candidate) return candidateSteps_;
  return stage == Stage::row ? rowSteps_ : records_[int(stage) - 1].steps;
}

Aligned<float>& Program::buffer(size_t count) {
  buffers_.push_back(std::make_unique<Aligned<float>>(count));
  return *buffers_.back();
}

AdCacheStats Program::cacheStats() const {
  AdCacheStats sum;
  for (const Records& records : records_) {
    if (!records.cache) continue;
    const AdCacheStats stats = records.cache->stats();
    sum.hits += stats.hits;
    sum.misses += stats.misses;
    sum.entries += stats.entries;
    sum.bytes += stats.bytes;
  }
  sum.budgetBytes = spec_.cacheBytes;
  return sum;
}

}  // namespace limelight
