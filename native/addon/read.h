#pragma once
#include <node_api.h>

#include <string>
#include <vector>

#include "../engine/spec.h"

namespace limelight {

/// What JavaScript calls each stage.
extern const char* const stageNames[stageCount];

/// Reads JavaScript values. After the first that is not what it should be, `isGood()` is false and all else reads as nothing.
class Reader {
 public:
  explicit Reader(napi_env env) : env_(env) {}

  bool isGood() const { return problem_.empty(); }
  const std::string& problem() const { return problem_; }

  napi_value property(napi_value object, const char* name);
  bool has(napi_value object, const char* name);
  double number(napi_value object, const char* name);
  int integer(napi_value object, const char* name);
  bool boolean(napi_value object, const char* name);
  std::string text(napi_value object, const char* name);
  std::string textOf(napi_value value);
  std::vector<napi_value> items(napi_value object, const char* name);
  std::vector<napi_value> itemsOf(napi_value array, const char* name);
  std::vector<int> integers(napi_value object, const char* name);
  WeightSpec floats(napi_value array);
  Format format(napi_value name);

  ProgramSpec program(napi_value object);

 private:
  void fail(const std::string& what);
  ColumnSpec column(napi_value object);
  ValueSpec value(napi_value object);
  Slice slice(napi_value object);
  TermSpec term(napi_value object);
  StepSpec step(napi_value object);

  napi_env env_;
  std::string problem_;
};

}  // namespace limelight
