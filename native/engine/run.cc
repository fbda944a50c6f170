#include "program.h"

#include <algorithm>
#include <cstring>

// A call: reads the columns, computes what is the request's, then block by block what is missing of ads and the rows.

namespace limelight {

bool Program::run() {
  if (!readStage()) return false;
  kernels_.matrix.begin();
  for (Column& column : columns_) {
    column.ids = column.allIds;
    column.offsets = column.allOffsets;
    column.values = column.allValues;
  }
  std::fill_n(answers_, spec_.tasks.size() * rowCount_, 1.0f);
  askForProjections();
  bool isFirst = true;
  for (int64_t batch = 0; batch < rowCount_; batch += batchRows) {
    const int end = int(std::min<int64_t>(batch + batchRows, rowCount_));
    for (Stage stage : {Stage::ad, Stage::creative}) fillRecords(stage, int(batch), end - int(batch));
    if (isFirst)
      for (const Run& step : requestSteps_) step(1);
    isFirst = false;
    for (int from = int(batch); from < end; from += spec_.blockRows) {
      const int rows = std::min(spec_.blockRows, end - from);
      const int next = from + rows;
      askLater(int(batch), next, std::min(spec_.blockRows, end - next));
      pointRowColumns(from);
      pointViews(Stage::row, nullptr, from - int(batch), rows);
      for (const Run& step : rowSteps_) step(rows);
      for (const auto& [task, logit] : logits_)
        kernels_.rows.timesSigmoid(rows, logit->floats(), answers_ + task * rowCount_ + from);
    }
  }
  kernels_.matrix.end();
  return true;
}

bool Program::readStage() {
  constexpr size_t fixed = 2, perColumn = 3;
  if (words_ == nullptr || wordCount_ < fixed + perColumn * columns_.size()) return false;
  rowCount_ = words_[0];
  const int64_t answersAt = words_[1];
  // Both are below 2^31, so nothing here overflows.
  if (rowCount_ < 0 || answersAt < int64_t(fixed + perColumn * columns_.size())) return false;
  if (uint64_t(answersAt) > wordCount_ || uint64_t(rowCount_) > (wordCount_ - answersAt) / spec_.tasks.size()) return false;
  answers_ = reinterpret_cast<float*>(words_ + answersAt);
  for (size_t i = 0; i < columns_.size(); i++) {
    const int32_t* header = words_ + fixed + perColumn * i;
    const int64_t rows = spec_.columns[i].stage == Stage::request ? 1 : rowCount_;
    if (!readColumn(i, header[0], header[1], header[2], rows)) return false;
  }
  return sequencesFit();
}

bool Program::readColumn(size_t index, int32_t at, int32_t offsetsAt, int32_t items, int64_t rows) {
  const ColumnSpec& spec = spec_.columns[index];
  Column& column = columns_[index];
  const auto fits = [&](int64_t from, int64_t count) {
    return from >= 0 && count >= 0 && uint64_t(from) <= wordCount_ && uint64_t(count) <= wordCount_ - uint64_t(from);
  };
  const bool isList = spec.kind == ColumnSpec::Kind::ids;
  const int64_t count = isList ? items : spec.kind == ColumnSpec::Kind::dense ? rows * spec.width : rows;
  if (!fits(at, count)) return false;
  column.allIds = words_ + at;
  column.allValues = reinterpret_cast<const float*>(column.allIds);
  if (spec.kind == ColumnSpec::Kind::dense) return true;
  if (isList) {
    if (!fits(offsetsAt, rows + 1)) return false;
    column.allOffsets = words_ + offsetsAt;
    if (column.allOffsets[0] < 0 || column.allOffsets[rows] > items) return false;
    for (int64_t row = 0; row < rows; row++)
      if (column.allOffsets[row] > column.allOffsets[row + 1]) return false;
  }
  return kernels_.rows.idsInside(column.allIds, size_t(count), spec.tableRows);
}

void Program::pointRowColumns(int from) {
  for (size_t i = 0; i < columns_.size(); i++) {
    const ColumnSpec& spec = spec_.columns[i];
    Column& column = columns_[i];
    if (spec.stage != Stage::row) continue;
    if (spec.kind == ColumnSpec::Kind::id) column.ids = column.allIds + from;
    if (spec.kind == ColumnSpec::Kind::ids) column.offsets = column.allOffsets + from;
    if (spec.kind == ColumnSpec::Kind::dense) column.values = column.allValues + size_t(from) * spec.width;
  }
}

void Program::fillRecords(Stage stage, int from, int rows) {
  Records& records = records_[int(stage) - 1];
  if (!records.isUsed()) return;
  int missing = 0;
  const auto isMissing = [&](int row, std::byte* record) {
    records.at[row] = record != nullptr ? record : records.spare.get() + row * records.bytes;
    records.missing[missing++] = row;
  };
  if (records.cache->holdsAny()) {
    for (int row = 0; row < rows; row++) hashes_[2 * row] = hashes_[2 * row + 1] = salt_;
    for (int index : records.keyColumns) hashRow(columns_[index], spec_.columns[index], from, rows);
    for (int row = 0; row < rows; row++) records.cache->prefetch(hashes_[2 * row]);
    records.cache->beginBatch();
    for (int row = 0; row < rows; row++) {
      bool isNew = false;
      std::byte* record = records.cache->find(hashes_[2 * row], hashes_[2 * row + 1], isNew);
      if (isNew) {
        isMissing(row, record);
        continue;
      }
      records.at[row] = record;
      // The first block has no product before it to ask for its records.
      if (row < spec_.blockRows)
        for (size_t line = 0; line < records.bytes; line += 64) __builtin_prefetch(record + line, 0, 2);
    }
  } else {
    for (int row = 0; row < rows; row++) isMissing(row, nullptr);
  }
  for (int first = 0; first < missing; first += spec_.blockRows) {
    const int count = std::min(spec_.blockRows, missing - first);
    records.now = records.missing.get() + first;
    takeMissing(stage, from, count);
    pointViews(stage, records.now, 0, count);
    for (const Run& step : records.steps) step(count);
  }
}

/// Kept projections are asked for before anything else is done, and read after the records have been found.
void Program::askForProjections() const {
  for (const Projection& p : projections_) {
    if (const std::byte* row = p.keptRow())
      for (size_t at = 0; at < p.rowBytes(); at += 64) __builtin_prefetch(row + at, 0, 2);
  }
}

/// Lists what a block of the batch reads: its records and its rows of far tables. The products before it ask for them on the
/// way, so that memory is not waited for.
void Program::askLater(int batch, int from, int rows) {
  laterCount_ = 0;
  if (laterWork_ == 0) return;
  const auto list = [&](const void* bytes, size_t count) {
    const auto first = static_cast<const std::byte*>(bytes);
    const size_t before = reinterpret_cast<uintptr_t>(first) % 64;
    for (size_t line = 0; line < before + count; line += 64) later_[laterCount_++] = first - before + line;
  };
  for (const Records& records : records_)
    for (int row = from; records.isUsed() && row < from + rows; row++) list(records.at[row - batch], records.bytes);
  for (const auto& [column, table] : farTables_)
    for (int row = from; row < from + rows; row++)
      list(table.values + size_t(column->allIds[row]) * table.size, 4 * size_t(table.size));
}

/// A product that asks for its share of these lines: the part of all work that is its own.
MatrixProduct Program::withLater(const MatrixProduct& product, size_t workBefore, size_t work) {
  MatrixProduct taking = product;
  const size_t first = laterCount_ * workBefore / laterWork_, end = laterCount_ * (workBefore + work) / laterWork_;
  taking.later = later_.get() + first;
  taking.laterCount = int(end - first);
  return taking;
}

void Program::hashRow(const Column& column, const ColumnSpec& spec, int from, int rows) {
  const uint64_t salt = salt_ + 2 * uint64_t(&column - columns_.data()) + 1;
  if (spec.kind == ColumnSpec::Kind::id) {
    kernels_.rows.hashIds(rows, column.allIds + from, salt, hashes_.get());
    return;
  }
  for (int row = 0; row < rows; row++) {
    uint64_t* h = hashes_.get() + 2 * row;
    const bool isList = spec.kind == ColumnSpec::Kind::ids;
    const int32_t* items = isList ? column.allIds + column.allOffsets[from + row] : column.allIds + size_t(from + row) * spec.width;
    const int32_t count = isList ? column.allOffsets[from + row + 1] - column.allOffsets[from + row] : spec.width;
    kernels_.rows.hashIds(1, &count, salt, h);
    for (int32_t i = 0; i < count; i++) kernels_.rows.hashIds(1, items + i, salt, h);
  }
}

/// Points the columns of a stage at copies of the missing rows.
void Program::takeMissing(Stage stage, int from, int missing) {
  const Records& records = records_[int(stage) - 1];
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
        const int row = from + records.now[j];
        column.someItems.insert(column.someItems.end(), column.allIds + column.allOffsets[row],
                                column.allIds + column.allOffsets[row + 1]);
        column.someOffsets[j + 1] = int32_t(column.someItems.size());
      }
      column.offsets = column.someOffsets.get();
      column.ids = column.someItems.data();
    }
  }
}

/// Points a stage's views of kept values at the records of rows of the batch: those listed, or from `first` on.
void Program::pointViews(Stage reader, const int32_t* rows, int first, int count) {
  for (const auto& view : views_) {
    if (view->reader != reader || !view->inRecords) continue;
    const ValueSpec& value = spec_.values[view->slice.value];
    const Records& records = records_[int(value.stage) - 1];
    const size_t offset = recordOffsets_[view->slice.value] + size_t(view->slice.from) * (value.keptAsBf16 ? 2 : 4);
    for (int i = 0; i < count; i++) view->rows[i] = records.at[rows ? rows[i] : first + i] + offset;
  }
}

}  // namespace limelight
