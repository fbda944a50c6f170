#include "read.h"

#include <cmath>
#include <cstring>

namespace limelight {

const char* const stageNames[stageCount] = {"request", "ad", "creative", "candidate", "row"};

namespace {

const char* const columnKinds[] = {"id", "ids", "dense"};
const char* const termKinds[] = {"product", "gatedSum", "value"};
const char* const activationNames[] = {"linear", "relu", "sigmoid", "doubleSigmoid"};
const char* const formatNames[] = {"f32", "bf16", "split", "u8"};
const char* const opNames[] = {"embed", "input", "means", "projectField", "affine",      "gate",    "concat",
                               "inner", "fm",    "sum",   "add",          "multiply", "multiplyAdd", "softmax",
                               "embedSequence", "projectSequence", "attend", "poolMean", "eventMask"};

template <size_t N>
int indexOf(const char* const (&names)[N], const std::string& name) {
  for (size_t i = 0; i < N; i++)
    if (name == names[i]) return int(i);
  return -1;
}

}  // namespace

void Reader::fail(const std::string& what) {
  if (problem_.empty()) problem_ = what;
}

napi_value Reader::property(napi_value object, const char* name) {
  napi_value value = nullptr;
  if (object == nullptr || napi_get_named_property(env_, object, name, &value) != napi_ok) fail(std::string("no '") + name + "'");
  return value;
}

bool Reader::has(napi_value object, const char* name) {
  bool found = false;
  return object != nullptr && napi_has_named_property(env_, object, name, &found) == napi_ok && found;
}

double Reader::number(napi_value object, const char* name) {
  double number = 0;
  napi_value value = property(object, name);
  if (value == nullptr || napi_get_value_double(env_, value, &number) != napi_ok) fail(std::string("'") + name + "' is no number");
  return number;
}

int Reader::integer(napi_value object, const char* name) {
  const double value = number(object, name);
  if (std::floor(value) == value && std::fabs(value) < 2147483648.0) return int(value);
  fail(std::string("'") + name + "' is no whole number");
  return 0;
}

bool Reader::boolean(napi_value object, const char* name) {
  bool flag = false;
  napi_value value = property(object, name);
  if (value == nullptr || napi_get_value_bool(env_, value, &flag) != napi_ok) fail(std::string("'") + name + "' is not true or false");
  return flag;
}

std::string Reader::textOf(napi_value value) {
  size_t length = 0;
  if (value == nullptr || napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok) {
    fail("expected a text");
    return "";
  }
  std::string text(length + 1, '\0');
  napi_get_value_string_utf8(env_, value, text.data(), length + 1, &length);
  text.resize(length);
  return text;
}

std::string Reader::text(napi_value object, const char* name) { return textOf(property(object, name)); }

std::vector<napi_value> Reader::itemsOf(napi_value array, const char* name) {
  uint32_t length = 0;
  bool isArray = false;
  if (array == nullptr || napi_is_array(env_, array, &isArray) != napi_ok || !isArray ||
      napi_get_array_length(env_, array, &length) != napi_ok) {
    fail(std::string("'") + name + "' is no array");
    return {};
  }
  std::vector<napi_value> items(length);
  for (uint32_t i = 0; i < length; i++)
    if (napi_get_element(env_, array, i, &items[i]) != napi_ok) fail(std::string("'") + name + "' lacks an item");
  return items;
}

std::vector<napi_value> Reader::items(napi_value object, const char* name) { return itemsOf(property(object, name), name); }

std::vector<int> Reader::integers(napi_value object, const char* name) {
  std::vector<int> integers;
  for (napi_value item : items(object, name)) {
    int32_t value = 0;
    if (napi_get_value_int32(env_, item, &value) != napi_ok) fail(std::string("'") + name + "' holds no numbers");
    integers.push_back(value);
  }
  return integers;
}

WeightSpec Reader::floats(napi_value array) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (array == nullptr || napi_get_typedarray_info(env_, array, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float32_array) {
    fail("expected a Float32Array");
    return {};
  }
  return {static_cast<const float*>(data), length};
}

ColumnSpec Reader::column(napi_value object) {
  ColumnSpec column;
  const int kind = indexOf(columnKinds, text(object, "kind"));
  const int stage = indexOf(stageNames, text(object, "stage"));
  if (kind < 0 || stage < 0) fail("a column of unknown kind");
  column.kind = ColumnSpec::Kind(kind);
  column.stage = Stage(stage);
  column.width = integer(object, "width");
  column.tableRows = integer(object, "tableRows");
  column.mean = boolean(object, "mean");
  return column;
}

ValueSpec Reader::value(napi_value object) {
  ValueSpec value;
  const int stage = indexOf(stageNames, text(object, "stage"));
  if (stage < 0) fail("a value of unknown stage");
  value.stage = Stage(stage);
  value.width = integer(object, "width");
  value.kept = boolean(object, "kept");
  value.keptAsBf16 = boolean(object, "keptAsBf16");
  return value;
}

Slice Reader::slice(napi_value object) { return {integer(object, "value"), integer(object, "from"), integer(object, "width")}; }

Format Reader::format(napi_value name) {
  const int format = indexOf(formatNames, textOf(name));
  if (format < 0) fail("an unknown format");
  return Format(format < 0 ? 0 : format);
}

TermSpec Reader::term(napi_value object) {
  TermSpec term;
  const int kind = indexOf(termKinds, text(object, "kind"));
  if (kind < 0) fail("a term of unknown kind");
  term.kind = TermSpec::Kind(kind);
  term.format = format(property(object, "format"));
  term.input = slice(property(object, "input"));
  if (term.kind == TermSpec::Kind::product) {
    term.weight = integer(object, "weight");
    term.firstRow = integer(object, "firstRow");
  }
  if (term.kind == TermSpec::Kind::gatedSum) term.fields = integer(object, "fields");
  if (term.format == Format::u8) {
    const WeightSpec scales = floats(property(object, "inverseScales"));
    term.inverseScales.assign(scales.values, scales.values + scales.length);
    term.zero = integer(object, "zero");
  }
  return term;
}

StepSpec Reader::step(napi_value object) {
  StepSpec step;
  const int op = indexOf(opNames, text(object, "op"));
  if (op < 0) fail("a step of unknown op");
  step.op = Op(op);
  step.output = integer(object, "output");
  if (has(object, "inputs"))
    for (napi_value item : items(object, "inputs")) step.inputs.push_back(slice(item));
  if (has(object, "parts"))
    for (napi_value item : items(object, "parts"))
      step.parts.push_back({integer(item, "column"), integer(item, "weight"), integer(item, "size")});
  if (has(object, "sizes")) step.sizes = integers(object, "sizes");
  if (has(object, "terms"))
    for (napi_value item : items(object, "terms")) step.terms.push_back(term(item));
  if (has(object, "weight")) step.weight = integer(object, "weight");
  if (has(object, "firstRow")) step.firstRow = integer(object, "firstRow");
  if (has(object, "units")) step.units = integer(object, "units");
  if (has(object, "length")) step.length = integer(object, "length");
  if (has(object, "transposed")) step.transposed = boolean(object, "transposed");
  if (has(object, "softmax")) step.softmax = boolean(object, "softmax");
  if (has(object, "fieldCount")) step.fieldCount = integer(object, "fieldCount");
  if (has(object, "matrix")) step.matrix = boolean(object, "matrix");
  if (has(object, "activation")) {
    const int activation = indexOf(activationNames, text(object, "activation"));
    if (activation < 0) fail("an unknown activation");
    step.activation = Activation(activation);
  }
  return step;
}

ProgramSpec Reader::program(napi_value object) {
  ProgramSpec spec;
  for (napi_value item : items(object, "columns")) spec.columns.push_back(column(item));
  for (napi_value item : items(object, "values")) spec.values.push_back(value(item));
  for (napi_value item : items(object, "weights")) spec.weights.push_back(floats(item));
  for (napi_value item : items(object, "steps")) spec.steps.push_back(step(item));
  for (napi_value item : items(object, "tasks")) {
    std::vector<int> logits;
    for (napi_value logit : itemsOf(item, "tasks")) {
      int32_t value = -1;
      if (napi_get_value_int32(env_, logit, &value) != napi_ok) fail("a logit that is no number");
      logits.push_back(value);
    }
    spec.tasks.push_back(std::move(logits));
  }
  spec.candidates = has(object, "candidates") && boolean(object, "candidates");
  spec.blockRows = integer(object, "blockRows");
  spec.cacheBytes = size_t(std::fmax(0, number(object, "cacheBytes")));
  return spec;
}

}  // namespace limelight
