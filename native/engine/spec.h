#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "../kernels/kernels.h"

// A program as JavaScript hands it over: a plan (src/scoring/planner/planSteps.ts) with names turned into indices and a
// number format chosen for every matrix product. Nothing in it is trusted until `checkSpec` has passed it.

namespace limelight {

/// When a value is computed: once a call, for each ad or creative that is not in the cache, for each candidate, for each row.
/// Without `ProgramSpec::candidates` each row is a candidate, and the stage of candidates is not used.
enum class Stage : uint8_t { request, ad, creative, candidate, row };
constexpr int stageCount = 5;

struct Slice {
  int value = -1;
  int from = 0;
  int width = 0;
};

struct ColumnSpec {
  enum class Kind : uint8_t { id, ids, dense } kind = Kind::id;
  Stage stage = Stage::row;
  int width = 0;          // dense: numbers a row
  int32_t tableRows = 0;  // id, ids: ids lie in [0, tableRows)
  bool mean = false;      // ids: pooled by mean, else by sum
};

struct ValueSpec {
  int width = 0;
  Stage stage = Stage::row;
  /// Kept in the record of its ad or creative, as bf16 where that is exact enough.
  bool kept = false;
  bool keptAsBf16 = false;
};

struct WeightSpec {
  const float* values = nullptr;
  size_t length = 0;
};

struct TermSpec {
  enum class Kind : uint8_t { product, gatedSum, value } kind = Kind::product;
  Slice input;        // of a gatedSum: the gates
  int weight = -1;    // product
  int firstRow = 0;   // product
  int fields = -1;    // gatedSum: the projected fields
  Format format = Format::f32;           // of a matrix product
  std::vector<float> inverseScales;      // u8: [width]
  int zero = 0;                          // u8
};

struct EmbedPart {
  int column = -1;
  int weight = -1;
  int size = 0;
};

enum class Op : uint8_t {
  embed, input, means, projectField, affine, gate, concat, inner, fm, sum, add, multiply, multiplyAdd, softmax,
  embedSequence, projectSequence, attend, poolMean, eventMask
};

struct StepSpec {
  Op op = Op::concat;
  int output = -1;
  std::vector<Slice> inputs;     // gate: fields, gates; attend: query, keys, events
  std::vector<EmbedPart> parts;  // embed, input, embedSequence
  std::vector<int> sizes;        // means, projectField, gate: of each field
  std::vector<TermSpec> terms;   // affine
  int weight = -1;               // projectField, projectSequence; affine, sum: the bias, or -1
  int firstRow = 0;              // projectField
  int units = 0;                 // projectField, projectSequence, affine
  int fieldCount = 0;            // inner, fm
  int length = 0;                // of sequences: events at most
  bool softmax = false;          // attend: weights add up to 1; else each is a sigmoid
  bool transposed = false;       // projectSequence: the right operand of a product with queries, [units, length], / √units
  Activation activation = Activation::linear;
  bool matrix = false;           // affine: by the matrix kernels
};

struct ProgramSpec {
  std::vector<ColumnSpec> columns;
  std::vector<ValueSpec> values;
  std::vector<WeightSpec> weights;
  std::vector<StepSpec> steps;
  std::vector<std::vector<int>> tasks;  // of each, its logits
  /// Whether rows are creatives of candidates: columns of stages ad and candidate then have a row a candidate.
  bool candidates = false;
  int blockRows = 0;
  size_t cacheBytes = 0;
};

/// The first thing wrong with a spec, or an empty string: after that nothing in it can lead outside its memory.
std::string checkSpec(const ProgramSpec& spec, const Kernels& kernels);

}  // namespace limelight
