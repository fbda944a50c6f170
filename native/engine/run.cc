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
  spec_.candidates ? runCandidates() : runRows();
  kernels_.matrix.end();
  return true;
}

void Program::runRows() {
  for (int64_t batch = 0; batch < rowCount_; batch += batchRows) {
    const int64_t end = std::min<int64_t>(batch + batchRows, rowCount_);
    for (Stage stage : {Stage::ad, Stage::creative}) fillRecords(stage, batch, int(end - batch));
    if (batch == 0) runRequest();
    for (int64_t from = batch; from < end; from += spec_.blockRows) {
      const int rows = int(std::min<int64_t>(spec_.blockRows, end - from));
      const int64_t next = from + rows;
      askNothing(blockWork_[int(Stage::row)]);
      for (Stage stage : {Stage::ad, Stage::creative, Stage::row}) askLater(stage, next, int(std::min<int64_t>(spec_.blockRows, end - next)));
      runRowBlock(from, rows);
    }
  }
}

/// A block of candidates, then the rows that are theirs, whose records and table rows the candidates' products ask for.
void Program::runCandidates() {
  const int64_t block = spec_.blockRows;
  int64_t row = 0;
  for (int64_t batch = 0; batch < candidateCount_; batch += batchRows) {
    const int64_t end = std::min<int64_t>(batch + batchRows, candidateCount_);
    fillRecords(Stage::ad, batch, int(end - batch));
    if (batch == 0) runRequest();
    for (int64_t from = batch; from < end; from += block) {
      const int count = int(std::min(block, end - from));
      const int64_t next = from + count;
      const int64_t rowEnd = std::lower_bound(candidateOf_ + row, candidateOf_ + rowCount_, next) - candidateOf_;
      candidatesFrom_ = from;
      for (bool isFirst = true; row < rowEnd; isFirst = false) {
        const int64_t chunkEnd = std::min<int64_t>(row + batchRows, rowEnd);
        fillRecords(Stage::creative, row, int(chunkEnd - row));
        if (isFirst) {
          const int64_t blocks = (chunkEnd - row + block - 1) / block;
          askNothing(blockWork_[int(Stage::candidate)] + blocks * blockWork_[int(Stage::row)]);
          for (Stage stage : {Stage::creative, Stage::row}) askLater(stage, row, int(std::min(chunkEnd - row, laterBlocks * block)));
          for (Stage stage : {Stage::ad, Stage::candidate}) askLater(stage, next, int(std::min(block, end - next)));
          pointColumns(Stage::candidate, from);
          pointViews(Stage::candidate, nullptr, from, count);
          for (const Run& step : candidateSteps_) step(count);
          stageRows_[int(Stage::candidate)] += count;
        }
        for (; row < chunkEnd; row += std::min(block, chunkEnd - row)) runRowBlock(row, int(std::min(block, chunkEnd - row)));
      }
    }
  }
}

void Program::runRequest() {
  for (const Run& step : requestSteps_) step(1);
  stageRows_[int(Stage::request)]++;
}

void Program::runRowBlock(int64_t from, int rows) {
  pointColumns(Stage::row, from);
  pointViews(Stage::row, nullptr, from, rows);
  for (const Run& step : rowSteps_) step(rows);
  stageRows_[int(Stage::row)] += rows;
  for (const auto& [task, logit] : logits_) kernels_.rows.timesSigmoid(rows, logit->floats(), answers_ + task * rowCount_ + from);
}

bool Program::readStage() {
  const size_t fixed = spec_.candidates ? 4 : 2, perColumn = 3;
  if (words_ == nullptr || wordCount_ < fixed + perColumn * columns_.size()) return false;
  rowCount_ = words_[0];
  const int64_t answersAt = words_[1];
  // Both are below 2^31, so nothing here overflows.
  if (rowCount_ < 0 || answersAt < int64_t(fixed + perColumn * columns_.size())) return false;
  if (uint64_t(answersAt) > wordCount_ || uint64_t(rowCount_) > (wordCount_ - answersAt) / spec_.tasks.size()) return false;
  answers_ = reinterpret_cast<float*>(words_ + answersAt);
  candidateCount_ = rowCount_;
  if (spec_.candidates && !readCandidates(words_[3])) return false;
  for (size_t i = 0; i < columns_.size(); i++) {
    const int32_t* header = words_ + fixed + perColumn * i;
    if (!readColumn(i, header[0], header[1], header[2], rowsOf(spec_.columns[i].stage))) return false;
  }
  return sequencesFit();
}

int64_t Program::rowsOf(Stage stage) const {
  if (stage == Stage::request) return 1;
  return stage == Stage::ad || stage == Stage::candidate ? candidateCount_ : rowCount_;
}

/// Rows are of the candidates 0, 1, … to the last, each of them of one or more rows that follow each other.
bool Program::readCandidates(int32_t at) {
  candidateCount_ = words_[2];
  if (at < 0 || size_t(at) > wordCount_ || size_t(rowCount_) > wordCount_ - size_t(at)) return false;
  candidateOf_ = words_ + at;
  if (rowCount_ == 0) return candidateCount_ == 0;
  uint32_t step = 0;
  for (int64_t row = 1; row < rowCount_; row++) step |= uint32_t(candidateOf_[row]) - uint32_t(candidateOf_[row - 1]);
  return candidateOf_[0] == 0 && step <= 1 && candidateOf_[rowCount_ - 1] == candidateCount_ - 1;
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

void Program::pointColumns(Stage stage, int64_t from) {
  for (size_t i = 0; i < columns_.size(); i++) {
    const ColumnSpec& spec = spec_.columns[i];
    Column& column = columns_[i];
    if (spec.stage != stage) continue;
    if (spec.kind == ColumnSpec::Kind::id) column.ids = column.allIds + from;
    if (spec.kind == ColumnSpec::Kind::ids) column.offsets = column.allOffsets + from;
    if (spec.kind == ColumnSpec::Kind::dense) column.values = column.allValues + size_t(from) * spec.width;
  }
}

void Program::fillRecords(Stage stage, int64_t from, int rows) {
  Records& records = records_[int(stage) - 1];
  if (!records.isUsed()) return;
  records.from = from;
  int missing = 0;
  const auto isMissing = [&](int row, std::byte* record) {
    records.at[row] = record != nullptr ? record : records.spare.get() + row * records.bytes;
    records.missing[missing++] = row;
  };
  if (records.cache->holdsAny()) {
    std::fill_n(hashes_.get(), 2 * rows, salt_);
    for (int index : records.keyColumns) {
      const bool isOfCandidates = spec_.candidates && stage == Stage::creative && spec_.columns[index].stage == Stage::ad;
      hashColumn(columns_[index], spec_.columns[index], isOfCandidates ? candidateOf_ : nullptr, from, rows);
    }
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
      // The first block has no product before it to ask for its records; creatives of candidates have those of the candidates.
      if (row < spec_.blockRows && !(spec_.candidates && stage == Stage::creative))
        for (size_t line = 0; line < records.bytes; line += 64) __builtin_prefetch(record + line, 0, 2);
    }
  } else {
    for (int row = 0; row < rows; row++) isMissing(row, nullptr);
  }
  for (int first = 0; first < missing; first += spec_.blockRows) {
    const int count = std::min(spec_.blockRows, missing - first);
    records.now = records.missing.get() + first;
    takeMissing(stage, count);
    pointViews(stage, records.now, from, count);
    for (const Run& step : records.steps) step(count);
    stageRows_[int(stage)] += count;
  }
}

/// Kept projections are asked for before anything else is done, and read after the records have been found.
void Program::askForProjections() const {
  for (const Projection& p : projections_) {
    if (const std::byte* row = p.keptRow())
      for (size_t at = 0; at < p.rowBytes(); at += 64) __builtin_prefetch(row + at, 0, 2);
  }
}

/// Begins a list of what is read soon. @param work of the products that ask for it, so that memory is not waited for
void Program::askNothing(size_t work) {
  laterCount_ = 0;
  laterDone_ = 0;
  laterWork_ = work;
}

/// Adds what rows of the batch at hand read of a stage: their records, or their rows of far tables.
void Program::askLater(Stage stage, int64_t from, int rows) {
  if (laterWork_ == 0) return;
  const auto list = [&](const void* bytes, size_t count) {
    uintptr_t line = reinterpret_cast<uintptr_t>(bytes) / 64 * 64;
    const uintptr_t last = (reinterpret_cast<uintptr_t>(bytes) + count - 1) / 64 * 64;
    for (; line <= last; line += 64 * 64) later_[laterCount_++] = line + std::min<uintptr_t>((last - line) / 64, 63);
  };
  if (stage == Stage::ad || stage == Stage::creative) {
    const Records& records = records_[int(stage) - 1];
    for (int64_t row = from; records.isUsed() && row < from + rows; row++) list(records.at[row - records.from], records.bytes);
    return;
  }
  for (const auto& [column, table] : farTables_) {
    if (spec_.columns[column - columns_.data()].stage != stage) continue;
    for (int64_t row = from; row < from + rows; row++)
      list(table.values + size_t(column->allIds[row]) * table.size, 4 * size_t(table.size));
  }
}

/// A product that asks for its share of these lines: the part of all work that is its own.
MatrixProduct Program::withLater(const MatrixProduct& product, size_t work) {
  MatrixProduct taking = product;
  const size_t first = laterCount_ * laterDone_ / laterWork_;
  laterDone_ = std::min(laterDone_ + work, laterWork_);  // a candidate may have rows beyond those that were counted
  const size_t end = laterCount_ * laterDone_ / laterWork_;
  taking.later = later_.get() + first;
  taking.laterCount = int(end - first);
  return taking;
}

/// @param of which row of the column each row has; its own if null
void Program::hashColumn(const Column& column, const ColumnSpec& spec, const int32_t* of, int64_t from, int rows) {
  const uint64_t salt = salt_ + 2 * uint64_t(&column - columns_.data()) + 1;
  if (spec.kind == ColumnSpec::Kind::id) {
    const int32_t* ids = column.allIds + from;
    if (of != nullptr) {
      for (int row = 0; row < rows; row++) hashedIds_[row] = column.allIds[of[from + row]];
      ids = hashedIds_.get();
    }
    kernels_.rows.hashIds(rows, ids, salt, hashes_.get());
    return;
  }
  for (int row = 0; row < rows; row++) {
    uint64_t* h = hashes_.get() + 2 * row;
    const int64_t at = of == nullptr ? from + row : of[from + row];
    const bool isList = spec.kind == ColumnSpec::Kind::ids;
    const int32_t* items = column.allIds + (isList ? size_t(column.allOffsets[at]) : size_t(at) * spec.width);
    const int32_t count = isList ? column.allOffsets[at + 1] - column.allOffsets[at] : spec.width;
    kernels_.rows.hashIds(1, &count, salt, h);
    for (int32_t i = 0; i < count; i++) kernels_.rows.hashIds(1, items + i, salt, h);
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

/// Points a stage's views of other stages' values at what rows read of them: those listed, counted from `first`, or all from it on.
void Program::pointViews(Stage reader, const int32_t* rows, int64_t first, int count) {
  const bool isOfCandidates = spec_.candidates && (reader == Stage::row || reader == Stage::creative);
  for (const auto& view : views_) {
    if (view->reader != reader || !view->moves) continue;
    const ValueSpec& value = spec_.values[view->slice.value];
    const int32_t* of = isOfCandidates && value.stage != Stage::creative ? candidateOf_ : nullptr;
    // A loop of each kind, so that the plain one stays plain.
    const auto point = [&](auto at) {
      void** const to = view->rows.get();
      if (rows == nullptr && of == nullptr)
        for (int i = 0; i < count; i++) to[i] = at(first + i);
      else if (rows == nullptr)
        for (int i = 0; i < count; i++) to[i] = at(of[first + i]);
      else
        for (int i = 0; i < count; i++) to[i] = at(of ? of[first + rows[i]] : first + rows[i]);
    };
    if (value.stage == Stage::candidate) {
      float* const values = values_[view->slice.value].get() + view->slice.from;
      point([=, this, stride = size_t(roundUp16(value.width))](int64_t row) { return values + (row - candidatesFrom_) * stride; });
    } else {
      const Records& records = records_[int(value.stage) - 1];
      const size_t offset = recordOffsets_[view->slice.value] + size_t(view->slice.from) * (value.keptAsBf16 ? 2 : 4);
      point([at = records.at.get(), from = records.from, offset](int64_t row) { return at[row - from] + offset; });
    }
  }
}

}  // namespace limelight
