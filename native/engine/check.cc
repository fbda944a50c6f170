#include <cmath>

#include "spec.h"

namespace limelight {
namespace {

// Far above any sensible model, and low enough that no product below overflows 64 bits.
constexpr int64_t maxWidth = 1 << 22;
constexpr int maxLength = 1024, maxUnits = 1 << 16;

/// Checks steps in order, so that each reads only what is already there.
class Checker {
 public:
  Checker(const ProgramSpec& spec, const Kernels& kernels) : spec_(spec), kernels_(kernels), made_(spec.values.size()) {}

  std::string run() {
    if (spec_.blockRows < 32 || spec_.blockRows > 4096 || spec_.blockRows % 32 != 0) return "wrong block";
    for (const auto& value : spec_.values) {
      if (value.width < 1 || value.width > maxWidth) return "a value of no or too great width";
      if (value.kept && value.stage != Stage::ad && value.stage != Stage::creative) return "a kept value of no ad";
      if (value.stage == Stage::candidate && !spec_.candidates) return "a candidate's value without candidates";
    }
    for (const auto& column : spec_.columns) {
      const bool dense = column.kind == ColumnSpec::Kind::dense;
      if (column.stage == Stage::candidate && !spec_.candidates) return "a candidate's column without candidates";
      if (dense ? column.width < 1 || column.width > maxWidth : column.tableRows < 1) return "a column of no width";
    }
    for (const auto& step : spec_.steps) {
      if (!inside(step.output, spec_.values.size()) || made_[step.output]) return "a step with no output of its own";
      stage_ = spec_.values[step.output].stage;
      width_ = spec_.values[step.output].width;
      if (const char* wrong = check(step)) return std::string("step to value ") + std::to_string(step.output) + ": " + wrong;
      made_[step.output] = true;
    }
    for (const auto& task : spec_.tasks) {
      if (task.empty()) return "a task without logits";
      for (int logit : task)
        if (!readable({logit, 0, 1}, Stage::row) || spec_.values[logit].width != 1) return "a logit that is no number";
    }
    return "";
  }

 private:
  const ProgramSpec& spec_;
  const Kernels& kernels_;
  std::vector<bool> made_;
  Stage stage_ = Stage::row;
  int64_t width_ = 0;

  static bool inside(int64_t index, size_t count) { return index >= 0 && static_cast<size_t>(index) < count; }

  /// Values of ads and creatives are read through records, so they must be kept; an ad and a candidate know no creative.
  bool readable(const Slice& slice, Stage reader) const {
    if (!inside(slice.value, spec_.values.size()) || !made_[slice.value]) return false;
    const auto& value = spec_.values[slice.value];
    if (slice.from < 0 || slice.width < 1 || int64_t{slice.from} + slice.width > value.width) return false;
    if (value.stage == reader) return true;
    switch (reader) {
      case Stage::row:
        return value.stage == Stage::request || value.stage == Stage::candidate || value.kept;
      case Stage::candidate:
        return value.stage == Stage::request || (value.stage == Stage::ad && value.kept);
      case Stage::creative:
        return value.stage == Stage::ad && value.kept;
      default:
        return false;
    }
  }

  bool hasWeights(int weight, int64_t from, int64_t count) const {
    return inside(weight, spec_.weights.size()) && from >= 0 && count >= 0 &&
           static_cast<uint64_t>(from + count) <= spec_.weights[weight].length;
  }

  /// A value whose record holds bf16 can only be gated, multiplied by another, or added to a matrix product.
  bool isNarrow(const Slice& slice) const {
    const auto& value = spec_.values[slice.value];
    return value.keptAsBf16 && value.stage != stage_;
  }

  static int64_t total(const std::vector<int>& sizes) {
    int64_t sum = 0;
    for (int size : sizes) {
      if (size < 1 || size > maxWidth) return -1;
      sum += size;
    }
    return sum;
  }

  const char* check(const StepSpec& step) {
    for (const auto& slice : step.inputs) {
      if (!readable(slice, stage_)) return "an input that is not there";
      const bool mayBeNarrow = step.op == Op::gate || (step.op == Op::multiply && step.inputs.size() == 2 && &slice == &step.inputs[1]);
      if (isNarrow(slice) && !mayBeNarrow) return "an input kept as bf16";
    }
    switch (step.op) {
      case Op::embed:
      case Op::input:
        return checkFields(step);
      case Op::means:
        return one(step) && total(step.sizes) == step.inputs[0].width && width_ == int64_t(step.sizes.size()) ? nullptr : "widths";
      case Op::projectField:
        if (!one(step) || total(step.sizes) != step.inputs[0].width || step.units < 1 || step.units > maxWidth) return "widths";
        if (width_ != int64_t(step.sizes.size()) * step.units) return "output width";
        return weightRows(step.weight, step.firstRow, step.inputs[0].width, step.units) ? nullptr : "weights";
      case Op::affine:
        return checkAffine(step);
      case Op::gate:
        if (step.inputs.size() != 2 || isNarrow(step.inputs[1])) return "inputs";
        return total(step.sizes) == step.inputs[0].width && step.inputs[0].width == width_ &&
                       step.inputs[1].width == int64_t(step.sizes.size())
                   ? nullptr
                   : "widths";
      case Op::concat: {
        int64_t sum = 0;
        for (const auto& slice : step.inputs) sum += slice.width;
        return sum == width_ ? nullptr : "widths";
      }
      case Op::embedSequence:
        return checkFields(step);
      case Op::projectSequence: {
        if (!one(step) || !isSequence(step, step.inputs[0].width)) return "widths";
        if (step.units < 1 || step.units > maxWidth || width_ != int64_t{step.length} * step.units) return "output width";
        if (step.transposed && stage_ != Stage::request) return "keys of several rows transposed";
        return weightRows(step.weight, 0, step.inputs[0].width / step.length, step.units) ? nullptr : "weights";
      }
      case Op::attend: {
        if (step.inputs.size() != 3 || !isSequence(step, step.inputs[1].width)) return "inputs";
        if (step.inputs[0].width > maxUnits || step.inputs[1].width != int64_t{step.length} * step.inputs[0].width) return "widths";
        return step.inputs[2].width == step.length * width_ ? nullptr : "output width";
      }
      case Op::eventMask:
        return one(step) && isSequence(step, step.inputs[0].width) && width_ == step.length ? nullptr : "widths";
      case Op::poolMean:
        if (!one(step) || !isSequence(step, step.inputs[0].width)) return "widths";
        return step.inputs[0].width == step.length * width_ ? nullptr : "output width";
      case Op::inner:
      case Op::fm: {
        const int64_t fields = step.fieldCount;
        if (!one(step) || fields < 1 || step.inputs[0].width % fields != 0) return "widths";
        return width_ == (step.op == Op::fm ? 1 : fields * (fields - 1) / 2) ? nullptr : "output width";
      }
      case Op::sum:
        if (width_ != 1 || step.inputs.empty()) return "widths";
        return step.weight < 0 || hasWeights(step.weight, 0, 1) ? nullptr : "weights";
      case Op::add:
      case Op::multiply:
      case Op::softmax:
      case Op::multiplyAdd: {
        const size_t count = step.inputs.size();
        if (step.op == Op::multiplyAdd ? count != 3 : step.op == Op::softmax ? count != 1 : count < 1) return "inputs";
        for (const auto& slice : step.inputs)
          if (slice.width != width_) return "widths";
        return nullptr;
      }
    }
    return "an unknown op";
  }

  static bool isSequence(const StepSpec& step, int width) {
    return step.length >= 1 && step.length <= maxLength && width % step.length == 0;
  }

  bool one(const StepSpec& step) const { return step.inputs.size() == 1; }

  bool weightRows(int weight, int64_t firstRow, int64_t rows, int64_t units) const {
    return firstRow >= 0 && firstRow <= maxWidth && hasWeights(weight, firstRow * units, rows * units);
  }

  const char* checkFields(const StepSpec& step) {
    int64_t sum = 0;
    for (const auto& part : step.parts) {
      if (!inside(part.column, spec_.columns.size()) || part.size < 1 || part.size > maxWidth) return "a field that is not there";
      const auto& column = spec_.columns[part.column];
      if (column.stage != stage_ || (column.kind == ColumnSpec::Kind::dense) != (step.op == Op::input)) return "a field of another kind";
      if (step.op == Op::embedSequence && column.kind != ColumnSpec::Kind::ids) return "a field of another kind";
      if (step.op == Op::input && column.width != part.size) return "a field of another width";
      if (step.op != Op::input && !hasWeights(part.weight, 0, int64_t{column.tableRows} * part.size)) return "a table of another size";
      sum += part.size;
    }
    if (step.op == Op::embedSequence) {
      if (step.length < 1 || step.length > maxLength) return "length";
      sum = (sum + 1) * step.length;
    }
    return !step.parts.empty() && sum == width_ ? nullptr : "output width";
  }

  const char* checkAffine(const StepSpec& step) {
    if (step.units != width_ || (step.terms.empty() && step.weight < 0)) return "output width";
    if (step.weight >= 0 && !hasWeights(step.weight, 0, step.units)) return "bias";
    if (step.matrix && stage_ == Stage::request) return "a matrix of one row";
    int matrices = 0, quantised = 0;
    for (const auto& term : step.terms) {
      const bool mayBeNarrow = term.kind == TermSpec::Kind::value && step.matrix;
      if (!readable(term.input, stage_) || (isNarrow(term.input) && !mayBeNarrow)) return "an input that is not there";
      if (!kernels_.matrix.supports(term.format)) return "a format these kernels lack";
      const bool product = term.kind == TermSpec::Kind::product;
      if (product && !weightRows(term.weight, term.firstRow, term.input.width, step.units)) return "weights";
      if (term.kind == TermSpec::Kind::value && term.input.width != step.units) return "widths";
      if (term.kind == TermSpec::Kind::gatedSum) {
        if (!readable({term.fields, 0, 1}, stage_)) return "projections that are not there";
        const auto& fields = spec_.values[term.fields];
        if (fields.width != int64_t{term.input.width} * step.units || (fields.keptAsBf16 && fields.stage != stage_)) return "projections";
      }
      if (term.kind != TermSpec::Kind::value) matrices++;
      if (term.format != Format::u8) continue;
      quantised++;
      if (!product || int64_t(term.inverseScales.size()) != term.input.width || (term.zero != 0 && term.zero != 128)) return "scales";
      for (float scale : term.inverseScales)
        if (!(scale > 0) || !std::isfinite(scale)) return "scales";
    }
    return !step.matrix || (matrices <= MatrixProduct::maxTerms && quantised <= 1) ? nullptr : "too many terms";
  }
};

}  // namespace

std::string checkSpec(const ProgramSpec& spec, const Kernels& kernels) { return Checker(spec, kernels).run(); }

}  // namespace limelight
