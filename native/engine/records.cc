#include "program.h"

#include <algorithm>
#include <cstring>

// What is kept of ads and creatives: finds the records of a batch of rows and fills in those that are missing.

namespace limelight {

/// The keys of a batch: all that its records are made of, mixed, two ids at a time.
void Program::hashKeys(Stage stage, int64_t from, int rows, Batch& batch) {
  batch.from = from;
  batch.rows = rows;
  batch.isFound = false;
  batch.candidates = 0;
  const Records& records = records_[int(stage) - 1];
  if (!records.isUsed() || !records.cache->holdsAny()) return;
  if (spec_.candidates && stage == Stage::creative) {
    const int32_t* const of = candidateOf_ + from;
    int32_t* const firsts = batch.firsts.get();
    const int count = rows == 0 ? 0 : of[rows - 1] - of[0] + 1;
    for (int row = rows; row-- > 0;) firsts[of[row] - of[0]] = row;
    firsts[count] = rows;
    batch.candidates = count;
  }
  uint64_t* const hashes = batch.hashes.get();
  std::fill_n(hashes, 2 * rows, salt_);
  const int32_t* first = nullptr;  // of two columns of ids
  uint64_t salt = salt_ + 1;
  for (size_t i = 0; i < records.keyColumns.size(); i++, salt += 2) {
    const Column& column = columns_[records.keyColumns[i]];
    const ColumnSpec& spec = spec_.columns[records.keyColumns[i]];
    const bool isOfCandidates = spec_.candidates && stage == Stage::creative && spec.stage == Stage::ad;
    if (spec.kind == ColumnSpec::Kind::ids && !isOfCandidates) {
      kernels_.rows.hashLists(rows, column.allOffsets + from, column.allIds, salt, hashes);
      continue;
    }
    if (spec.kind != ColumnSpec::Kind::id) {
      for (int row = 0; row < rows; row++) hashList(column, spec, isOfCandidates ? candidateOf_[from + row] : from + row, salt, hashes + 2 * row);
      continue;
    }
    const int32_t* ids = column.allIds + from;
    if (isOfCandidates) {
      int32_t* const to = hashedIds_[first != nullptr].get();
      for (int row = 0; row < rows; row++) to[row] = column.allIds[candidateOf_[from + row]];
      ids = to;
    }
    if (first == nullptr) {
      first = ids;
      continue;
    }
    kernels_.rows.hashIds(rows, first, ids, salt, hashes);
    first = nullptr;
  }
  if (first != nullptr) kernels_.rows.hashIds(rows, first, first, salt, hashes);
}

/// A list, or the numbers of a row.
void Program::hashList(const Column& column, const ColumnSpec& spec, int64_t row, uint64_t salt, uint64_t* hashes) {
  const int32_t whole[2] = {0, spec.width};
  const bool isList = spec.kind == ColumnSpec::Kind::ids;
  const int32_t* items = isList ? column.allIds : column.allIds + size_t(row) * spec.width;
  kernels_.rows.hashLists(1, isList ? column.allOffsets + row : whole, items, salt, hashes);
}

namespace {

/// Calls `read` with what finding the creatives of each candidate reads first: of all of them, where few are found by those before.
template <class Read>
void forEachSet(const AdCache& cache, const Batch& batch, Read read) {
  if (cache.isFollowed())
    for (int i = 0; i < batch.candidates; i++) read(cache.setLines(batch.hashes[2 * batch.firsts[i]]));
  else
    for (int row = 0; row < batch.rows; row++) read(cache.setLines(batch.hashes[2 * row]));
}

/// Finds the first record of each candidate of several, and calls `read` with what finding the others reads.
template <class Read>
void findLinks(const AdCache& cache, Batch& batch, Read read) {
  for (int i = 0; i < batch.candidates; i++) {
    const int row = batch.firsts[i], count = batch.firsts[i + 1] - row;
    batch.found[i] = count < 2 ? AdCache::none : cache.recordOf(batch.hashes[2 * row], batch.hashes[2 * row + 1]);
    if (batch.found[i] != AdCache::none) read(cache.linkLines(batch.found[i], count));
  }
  batch.isFound = true;
}

void prefetch(AdCache::Lines lines) {
  for (size_t at = 0; at < lines.bytes; at += 64) __builtin_prefetch(static_cast<const std::byte*>(lines.at) + at);
}

/// Calls `found` with each row's record and whether that is new.
template <class Found>
void findEach(AdCache& cache, const Batch& batch, Found found) {
  cache.beginBatch();
  for (int row = 0; row < batch.rows; row++) prefetch(cache.setLines(batch.hashes[2 * row]));
  for (int row = 0; row < batch.rows; row++) {
    bool isNew = false;
    const AdCache::Record record = cache.find(batch.hashes[2 * row], batch.hashes[2 * row + 1], isNew);
    found(row, cache.at(record), isNew);
  }
}

/// The same of creatives of candidates.
template <class Found>
void findCreatives(AdCache& cache, Batch& batch, Found found) {
  cache.beginBatch();
  if (!batch.isFound) {
    forEachSet(cache, batch, prefetch);
    findLinks(cache, batch, prefetch);
  }
  // A first creative that was once asked for alone does not lie beside the others.
  for (int i = 0; i < batch.candidates; i++)
    if (batch.found[i] != AdCache::none) prefetch(cache.nextLinkLines(batch.found[i], batch.firsts[i + 1] - batch.firsts[i]));
  for (int i = 0; i < batch.candidates; i++) {
    AdCache::Record record = batch.found[i];
    for (int first = batch.firsts[i], row = first; row < batch.firsts[i + 1]; row++) {
      bool isNew = false;
      const uint64_t hash = batch.hashes[2 * row], tag = batch.hashes[2 * row + 1];
      record = row == first ? cache.find(hash, tag, record, isNew) : cache.findNext(hash, tag, record, isNew);
      found(row, cache.at(record), isNew);
    }
  }
}

}  // namespace

/// Adds to the list of what is read soon where the cache looks: for creatives that come next, what follows from where the first of
/// each candidate is, and for those after that, where the first ones may be.
void Program::askForRecords(Batch& next, const Batch& afterThat) {
  const Records& records = records_[int(Stage::creative) - 1];
  if (laterWork_ == 0 || !records.isUsed() || !records.cache->holdsAny()) return;
  const auto ask = [this](AdCache::Lines lines) { askLater(lines.at, lines.bytes); };
  findLinks(*records.cache, next, ask);
  forEachSet(*records.cache, afterThat, ask);
}

void Program::findRecords(Stage stage, Batch& batch) {
  Records& records = records_[int(stage) - 1];
  if (!records.isUsed()) return;
  records.from = batch.from;
  int missing = 0;
  const auto isMissing = [&](int row, std::byte* record) {
    records.at[row] = record != nullptr ? record : records.spare.get() + row * records.bytes;
    records.missing[missing++] = row;
  };
  if (!records.cache->holdsAny())
    for (int row = 0; row < batch.rows; row++) isMissing(row, nullptr);
  else if (spec_.candidates && stage == Stage::creative)
    findCreatives(*records.cache, batch, [&](int row, std::byte* record, bool isNew) {
      isNew ? isMissing(row, record) : void(records.at[row] = record);
    });
  else
    findEach(*records.cache, batch, [&](int row, std::byte* record, bool isNew) {
      if (isNew) return isMissing(row, record);
      records.at[row] = record;
      // The first block has no product before it to ask for its records; creatives of candidates have those of the candidates.
      if (row >= spec_.blockRows) return;
      for (size_t at = 0; at < records.bytes; at += 64) __builtin_prefetch(record + at, 0, 2);
      __builtin_prefetch(record + records.bytes - 1, 0, 2);  // a record need not start at a cache line
    });
  for (int first = 0; first < missing; first += spec_.blockRows) {
    const int count = std::min(spec_.blockRows, missing - first);
    records.now = records.missing.get() + first;
    takeMissing(stage, count);
    pointViews(stage, records.now, batch.from, count);
    for (const Run& step : records.steps) step(count);
    stageRows_[int(stage)] += count;
  }
}

/// Points the columns of a stage at copies of the missing rows.
void Program::takeMissing(Stage stage, int missing) {
  const Records& records = records_[int(stage) - 1];
  const int64_t from = records.from;
  for (size_t i = 0; i < columns_.size(); i++) {
    const ColumnSpec& spec = spec_.columns[i];
    Column& column = columns_[i];
    if (spec.stage != stage) continue;
    if (spec.kind == ColumnSpec::Kind::id) {
      if (!column.someIds) column.someIds = Aligned<int32_t>(spec_.blockRows);
      for (int j = 0; j < missing; j++) column.someIds[j] = column.allIds[from + records.now[j]];
      column.ids = column.someIds.get();
    } else if (spec.kind == ColumnSpec::Kind::dense) {
      if (!column.someValues) column.someValues = Aligned<float>(size_t(spec_.blockRows) * spec.width);
      for (int j = 0; j < missing; j++)
        std::memcpy(column.someValues.get() + size_t(j) * spec.width,
                    column.allValues + size_t(from + records.now[j]) * spec.width, sizeof(float) * spec.width);
      column.values = column.someValues.get();
    } else {
      if (!column.someOffsets) column.someOffsets = Aligned<int32_t>(spec_.blockRows + 1);
      column.someItems.clear();  // keeps its room
      for (int j = 0; j < missing; j++) {
        const int64_t row = from + records.now[j];
        column.someItems.insert(column.someItems.end(), column.allIds + column.allOffsets[row],
                                column.allIds + column.allOffsets[row + 1]);
        column.someOffsets[j + 1] = int32_t(column.someItems.size());
      }
      column.offsets = column.someOffsets.get();
      column.ids = column.someItems.data();
    }
  }
}

}  // namespace limelight
