#include "program.h"

#include <algorithm>

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
    for (Stage stage : {Stage::ad, Stage::creative}) {
      hashKeys(stage, batch, int(end - batch), batch_);
      findRecords(stage, batch_);
    }
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

/// A block of candidates, then the rows that are theirs, whose records and table rows the candidates' products ask for. What
/// finding the records of the next rows will read is asked for by them too, since each such line of memory leads to the next.
void Program::runCandidates() {
  const int64_t block = spec_.blockRows;
  Batch *now = &creatives_[0], *next = &creatives_[1], *afterThat = &creatives_[2];
  const auto hash = [this](int64_t from, Batch& batch) { hashKeys(Stage::creative, from, int(creativesEnd(from) - from), batch); };
  hash(0, *now);
  hash(now->rows, *next);
  int64_t row = 0;
  for (int64_t batch = 0; batch < candidateCount_; batch += batchRows) {
    const int64_t end = std::min<int64_t>(batch + batchRows, candidateCount_);
    hashKeys(Stage::ad, batch, int(end - batch), batch_);
    findRecords(Stage::ad, batch_);
    if (batch == 0) runRequest();
    for (int64_t from = batch; from < end; from += block) {
      const int count = int(std::min(block, end - from));
      const int64_t nextFrom = from + count;
      candidatesFrom_ = from;
      for (bool isFirst = true; row < rowCount_ && candidateOf_[row] < nextFrom; isFirst = false) {
        const int64_t chunkEnd = row + now->rows;
        findRecords(Stage::creative, *now);
        hash(next->from + next->rows, *afterThat);
        if (isFirst) {
          const int64_t blocks = (now->rows + block - 1) / block;
          askNothing(blockWork_[int(Stage::candidate)] + blocks * blockWork_[int(Stage::row)]);
          for (Stage stage : {Stage::creative, Stage::row}) askLater(stage, row, int(std::min<int64_t>(now->rows, laterBlocks * block)));
          for (Stage stage : {Stage::ad, Stage::candidate}) askLater(stage, nextFrom, int(std::min(block, end - nextFrom)));
          askForRecords(*next, *afterThat);
          pointColumns(Stage::candidate, from);
          pointViews(Stage::candidate, nullptr, from, count);
          for (const Run& step : candidateSteps_) step(count);
          stageRows_[int(Stage::candidate)] += count;
        }
        for (; row < chunkEnd; row += std::min(block, chunkEnd - row)) runRowBlock(row, int(std::min(block, chunkEnd - row)));
        std::swap(now, next);
        std::swap(next, afterThat);
      }
    }
  }
}

/// Where the rows end whose records are looked up together, of those that begin at one: those of a block of candidates, or fewer.
int64_t Program::creativesEnd(int64_t from) const {
  if (from == rowCount_) return from;
  const int64_t candidate = candidateOf_[from], batch = candidate / batchRows * batchRows;
  const int64_t blockEnd = candidate - (candidate - batch) % spec_.blockRows + spec_.blockRows;
  const int64_t most = std::min<int64_t>(from + batchRows, rowCount_);
  return std::lower_bound(candidateOf_ + from, candidateOf_ + most, std::min<int64_t>(blockEnd, batch + batchRows)) - candidateOf_;
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

/// Begins a list of what is read soon. @param work of the products that ask for it, so that memory is not waited for
void Program::askNothing(size_t work) {
  laterCount_ = 0;
  laterDone_ = 0;
  laterWork_ = work;
}

void Program::askLater(const void* bytes, size_t count) {
  uintptr_t line = reinterpret_cast<uintptr_t>(bytes) / 64 * 64;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(bytes) + count - 1) / 64 * 64;
  for (; line <= last; line += 64 * 64) later_[laterCount_++] = line + std::min<uintptr_t>((last - line) / 64, 63);
}

/// Adds what rows of the batch at hand read of a stage: their records, or their rows of far tables.
void Program::askLater(Stage stage, int64_t from, int rows) {
  if (laterWork_ == 0) return;
  if (stage == Stage::ad || stage == Stage::creative) {
    const Records& records = records_[int(stage) - 1];
    for (int64_t row = from; records.isUsed() && row < from + rows; row++) askLater(records.at[row - records.from], records.bytes);
    return;
  }
  for (const auto& [column, table] : farTables_) {
    if (spec_.columns[column - columns_.data()].stage != stage) continue;
    for (int64_t row = from; row < from + rows; row++)
      askLater(table.values + size_t(column->allIds[row]) * table.size, 4 * size_t(table.size));
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
