#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adCache.h"
#include "memory.h"
#include "pack.h"
#include "spec.h"

namespace limelight {

/// Rows whose records are looked up together.
struct Batch {
  int64_t from = 0;
  int rows = 0;
  Aligned<uint64_t> hashes;  // two of each row
  Aligned<int32_t> firsts;   // of creatives of candidates: the first row of each, then `rows`
  int candidates = 0;
  Aligned<AdCache::Record> found;  // of creatives of candidates: the first record of each, if `isFound`
  bool isFound = false;
};

/// A plan made ready to run: every buffer allocated, every pointer known, so that a call does nothing but call kernels.
class Program {
 public:
  /// `packed` holds `packedBytes(spec)` bytes and, like the weights, outlives the program. `spec` has passed `checkSpec`.
  /// @param salt makes the keys of the ad cache unforeseeable
  Program(ProgramSpec spec, const Kernels& kernels, const std::byte* packed, uint64_t salt);

  /// Rows come and answers go through words that the caller shares (src/scoring/engines/native/stage.ts):
  ///   0 rows, 1 where the answers go ([tasks, rows] floats), with candidates: 2 how many, 3 where the candidate of each row
  ///   begins; then for each column: where its ids or numbers begin, where its offsets begin, how many items its lists have;
  ///   then the data itself. All in words from the first.
  void setStage(int32_t* words, size_t count) {
    words_ = words;
    wordCount_ = count;
  }

  /// @returns false if the words do not describe columns that fit, or an id lies outside its table; nothing is answered then
  bool run();

  /// Of ads, and of creatives.
  AdCacheStats cacheStats() const;

  /// How many rows the steps of a stage have computed.
  uint64_t stageRows(Stage stage) const { return stageRows_[int(stage)]; }

 private:
  using Run = std::function<void(int rows)>;

  /// Rows whose records are looked up together, so that many memory reads are on their way at a time.
  static constexpr int batchRows = 1024;

  /// Blocks of rows that the products of a block of candidates ask for, at most.
  static constexpr int laterBlocks = 8;

  /// What the ad cache has room for, where rows are creatives of candidates.
  static constexpr int creativesPerAd = 5;

  /// For projections of request fields.
  static constexpr size_t keptProjectionBytes = 32 << 20;

  /// A larger table does not stay in the second-level cache with all else that a call reads.
  static constexpr size_t nearTableBytes = 64 << 10;

  /// Cache lines that so many bytes may lie in.
  static size_t linesOf(size_t bytes) { return (bytes + 63) / 64 + 1; }

  /// The pointers to every row's numbers of one slice, as one stage sees them.
  struct View {
    Slice slice;
    Stage reader;
    /// Set anew for each block: the value lies in records, or rows are creatives of the candidates it is of.
    bool moves = false;
    Aligned<void*> rows;
    const float* const* floats() const { return reinterpret_cast<const float* const*>(rows.get()); }
    float* const* out() const { return reinterpret_cast<float* const*>(rows.get()); }
  };

  /// A slice as the left operand of matrix products.
  struct Tiles {
    Slice slice;
    Stage stage;
    const TermSpec* term;
    bool isDirect = false;  // written by the step that makes the value
    bool isWritten = false;
    Aligned<float> inverseScales;
    Aligned<std::byte> memory;
    TileTarget target;
  };

  /// What the records of one stage are made of.
  struct Records {
    size_t bytes = 0;
    int64_t from = 0;  // the first row of the batch at hand
    std::optional<AdCache> cache;
    Aligned<std::byte> spare;          // [batch] records for what the cache cannot take
    Aligned<std::byte*> at;            // [batch] the record of each row: of an ad's a candidate, where there are candidates
    Aligned<int32_t> missing;          // [batch] rows whose record is to be written
    const int32_t* now = nullptr;      // those of them that are being written
    std::vector<int> keyColumns;       // all that the records depend on, those of ads first
    std::vector<Run> steps;            // compute and store
    bool isUsed() const { return bytes > 0; }
  };

  /// A column at the rows at hand.
  struct Column {
    const int32_t* ids = nullptr;
    const int32_t* offsets = nullptr;
    const float* values = nullptr;
    // As the call gave it.
    const int32_t* allIds = nullptr;
    const int32_t* allOffsets = nullptr;
    const float* allValues = nullptr;
    // Of the missing rows.
    Aligned<int32_t> someIds;
    Aligned<int32_t> someOffsets;
    Aligned<float> someValues;
    std::vector<int32_t> someItems;
  };

  /// x · W of one field of the request.
  struct Projection {
    const Column* column;  // whose table x is a row of, if it is
    size_t tableRows;
    int size, units;
    bool asBf16;
    const float *x, *w;
    float* y;
    Mapped kept = {};            // [tableRows, units] floats or bf16 numbers, if any
    Aligned<bool> isKnown = {};  // [tableRows]
    size_t rowBytes() const { return size_t(units) * (asBf16 ? 2 : 4); }
    size_t bytes() const { return tableRows * rowBytes(); }
    std::byte* keptRow() const { return kept ? static_cast<std::byte*>(kept.get()) + column->ids[0] * rowBytes() : nullptr; }
  };

  // program.cc: memory
  void keepNothing();
  void layOutRecords();
  void layOutTiles();
  bool readsAds() const;
  bool isGathered(const StepSpec& step) const;
  bool needsRows(int value) const;
  const View& view(const Slice& slice, Stage reader);
  const View& whole(int value) { return view({value, 0, spec_.values[value].width}, spec_.values[value].stage); }
  Tiles& tilesOf(const Slice& slice, Stage stage, const TermSpec& term);
  const TileTarget* directTiles(int value) const;
  std::vector<Run>& stepsOf(Stage stage);

  // steps.cc: one function an op
  void addStep(size_t index);
  void addEmbed(const StepSpec& step);
  void addPrefetch(const StepSpec& step);
  void addGate(const StepSpec& step);
  void addMultiply(const StepSpec& step);
  void addPlain(const StepSpec& step);
  void addSum(const StepSpec& step);
  void addStore(int value);
  int stagedRows(Stage stage) const { return stage == Stage::request ? 1 : spec_.blockRows; }
  Aligned<float>& buffer(size_t count);

  // affine.cc
  void addRowAffine(const StepSpec& step);
  void addMatrixAffine(size_t index);
  const float* biasOf(const StepSpec& step, int columns, Stage stage, const std::vector<PackedTerm>* packed);
  const float* const* addedOf(const StepSpec& step, int columns, Stage stage, const TermSpec* except = nullptr);
  const TermSpec* addedAsBf16(const StepSpec& step, int columns) const;

  // projections.cc
  void addProjection(const StepSpec& step);
  void project(const Projection& projection);
  bool isReadAsBf16(int value) const;
  const Column* idColumnOf(int value, int from, int size) const;
  void keepProjections();
  void askForProjections() const;

  // sequences.cc
  void addEmbedSequence(const StepSpec& step);
  static void askForRows(const std::vector<std::pair<const Column*, Table>>& lists);
  void addOverSequence(const StepSpec& step);
  void addTransposedKeys(const StepSpec& step, const float* const* x, float* const* y);
  bool sequencesFit() const;

  // records.cc
  void hashKeys(Stage stage, int64_t from, int rows, Batch& batch);
  void hashList(const Column& column, const ColumnSpec& spec, int64_t row, uint64_t salt, uint64_t* hashes);
  void askForRecords(Batch& next, const Batch& afterThat);
  void findRecords(Stage stage, Batch& batch);
  void takeMissing(Stage stage, int missing);

  // run.cc
  void runRows();
  void runCandidates();
  void runRequest();
  void runRowBlock(int64_t from, int rows);
  bool readStage();
  bool readCandidates(int32_t at);
  int64_t rowsOf(Stage stage) const;
  bool readColumn(size_t index, int32_t idsAt, int32_t offsetsAt, int32_t items, int64_t rows);
  void pointColumns(Stage stage, int64_t from);
  void askNothing(size_t work);
  void askLater(const void* bytes, size_t count);
  void askLater(Stage stage, int64_t from, int rows);
  MatrixProduct withLater(const MatrixProduct& product, size_t work);
  int64_t creativesEnd(int64_t from) const;
  void pointViews(Stage reader, const int32_t* rows, int64_t first, int count);

  ProgramSpec spec_;
  const Kernels& kernels_;
  std::vector<std::vector<PackedTerm>> packed_;
  uint64_t salt_;
  int32_t* words_ = nullptr;
  size_t wordCount_ = 0;
  int64_t rowCount_ = 0;
  int64_t candidateCount_ = 0;
  const int32_t* candidateOf_ = nullptr;  // [rows], where there are candidates
  int64_t candidatesFrom_ = 0;            // the first candidate of the block at hand
  uint64_t stageRows_[stageCount] = {};
  float* answers_ = nullptr;

  std::vector<Column> columns_;
  std::vector<Aligned<float>> values_;  // [1 or block, stride] of each value that has rows at all
  std::vector<int> recordOffsets_;      // of each kept value, in bytes
  std::vector<std::unique_ptr<View>> views_;
  std::vector<std::unique_ptr<Tiles>> tiles_;
  std::vector<std::unique_ptr<Aligned<float>>> buffers_;
  std::vector<std::unique_ptr<Aligned<std::byte>>> tileBuffers_;
  std::vector<Aligned<float*>> rowTables_;
  Records records_[2];  // of ads, of creatives
  std::vector<Run> requestSteps_;
  std::vector<Run> candidateSteps_;
  std::vector<Run> rowSteps_;
  std::vector<std::pair<int, const View*>> logits_;  // task, logit
  std::vector<Projection> projections_;
  Batch batch_;
  Batch creatives_[3];  // of candidates: at hand, the next, the one after that
  Aligned<int32_t> hashedIds_[2];  // [batch] of candidates, a row each creative
  std::vector<std::pair<const Column*, Table>> farTables_;  // that rows and candidates are read from
  Aligned<uintptr_t> later_;  // as `MatrixProduct::later` has them: records and table rows that are read soon
  size_t laterCount_ = 0;
  size_t laterWork_ = 0;                // tiles multiplied by the products that ask for them,
  size_t laterDone_ = 0;                // and by those of them that are done
  size_t blockWork_[stageCount] = {};   // tiles multiplied by all products of a block
};

}  // namespace limelight
