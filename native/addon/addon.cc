#include <node_api.h>

#include <memory>
#include <random>
#include <string>

#include "../engine/program.h"
#include "../kernels/isa.h"
#include "../kernels/rates.h"
#include "mapping.h"
#include "read.h"

// The functions JavaScript calls: see src/scoring/engines/native/addon.ts.

namespace limelight {
namespace {

napi_value fail(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

template <size_t N>
bool arguments(napi_env env, napi_callback_info info, napi_value (&values)[N]) {
  size_t count = N;
  return napi_get_cb_info(env, info, &count, values, nullptr, nullptr) == napi_ok && count == N;
}

/// A program, and what it reads kept from the garbage collector.
struct Handle {
  std::unique_ptr<Program> program;
  napi_ref spec = nullptr;
  napi_ref packed = nullptr;
  napi_ref stage = nullptr;
};

void release(napi_env env, Handle& handle) {
  handle.program.reset();
  for (napi_ref* ref : {&handle.spec, &handle.packed, &handle.stage}) {
    if (*ref != nullptr) napi_delete_reference(env, *ref);
    *ref = nullptr;
  }
}

Handle* handleOf(napi_env env, napi_value value) {
  void* handle = nullptr;
  if (napi_get_value_external(env, value, &handle) != napi_ok) return nullptr;
  return static_cast<Handle*>(handle);
}

napi_value numberOf(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

const Kernels* kernelsOf(napi_env env, napi_value name) {
  Reader reader(env);
  const std::string text = reader.textOf(name);
  return reader.isGood() ? kernelsNamed(text.c_str()) : nullptr;
}

bool formatOf(napi_env env, napi_value value, Format& format) {
  Reader reader(env);
  format = reader.format(value);
  return reader.isGood();
}

napi_value kernelNames(napi_env env, napi_callback_info) {
  napi_value names = nullptr;
  napi_create_array(env, &names);
  uint32_t i = 0;
  for (const Kernels* kernels : availableKernels()) {
    napi_value name = nullptr;
    napi_create_string_utf8(env, kernels->name, NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, names, i++, name);
  }
  return names;
}

napi_value supports(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Format format;
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr || !formatOf(env, args[1], format)) return fail(env, "supports(kernels, format): unknown");
  napi_value result = nullptr;
  napi_get_boolean(env, kernels->matrix.supports(format), &result);
  return result;
}

/// Reads and checks a spec; on failure an exception is pending and false returned.
bool readSpec(napi_env env, napi_value value, const Kernels& kernels, ProgramSpec& spec) {
  Reader reader(env);
  spec = reader.program(value);
  const std::string problem = reader.isGood() ? checkSpec(spec, kernels) : reader.problem();
  if (!problem.empty()) fail(env, "native program: " + problem);
  return problem.empty();
}

napi_value packedBytesOf(napi_env env, napi_callback_info info) {
  napi_value args[2];
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr) return fail(env, "packedBytes(kernels, spec): unknown kernels");
  ProgramSpec spec;
  return readSpec(env, args[1], *kernels, spec) ? numberOf(env, double(packedBytes(spec, *kernels))) : nullptr;
}

napi_value pack(napi_env env, napi_callback_info info) {
  napi_value args[2];
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr) return fail(env, "pack(kernels, spec): unknown kernels");
  ProgramSpec spec;
  if (!readSpec(env, args[1], *kernels, spec)) return nullptr;
  // Memory of our own, since that of JavaScript's buffers is not aligned to cache lines.
  const size_t bytes = packedBytes(spec, *kernels);
  auto packed = std::make_unique<Aligned<std::byte>>(bytes);
  if (!*packed) return fail(env, "pack: out of memory");
  packWeights(spec, *kernels, packed->get());
  napi_value buffer = nullptr;
  const auto finalize = [](napi_env, void*, void* memory) { delete static_cast<Aligned<std::byte>*>(memory); };
  if (napi_create_external_arraybuffer(env, packed->get(), bytes, finalize, packed.get(), &buffer) != napi_ok)
    return fail(env, "pack: no buffer");
  packed.release();
  return buffer;
}

napi_value createProgram(napi_env env, napi_callback_info info) {
  napi_value args[3];
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr) return fail(env, "createProgram(kernels, spec, packed): unknown kernels");
  ProgramSpec spec;
  if (!readSpec(env, args[1], *kernels, spec)) return nullptr;
  void* packed = nullptr;
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, args[2], &packed, &bytes) != napi_ok || bytes != packedBytes(spec, *kernels))
    return fail(env, "createProgram: expected an ArrayBuffer of packedBytes");
  if (reinterpret_cast<uintptr_t>(packed) % 64 != 0) return fail(env, "createProgram: the packed weights are not aligned to 64 bytes");
  std::random_device random;
  const uint64_t salt = uint64_t{random()} << 32 | random();
  auto handle = std::make_unique<Handle>();
  handle->program = std::make_unique<Program>(std::move(spec), *kernels, static_cast<const std::byte*>(packed), salt);
  napi_create_reference(env, args[1], 1, &handle->spec);
  napi_create_reference(env, args[2], 1, &handle->packed);
  napi_value external = nullptr;
  const auto finalize = [](napi_env env, void* data, void*) {
    Handle* handle = static_cast<Handle*>(data);
    release(env, *handle);
    delete handle;
  };
  if (napi_create_external(env, handle.get(), finalize, nullptr, &external) != napi_ok) return fail(env, "createProgram: no handle");
  handle.release();
  return external;
}

napi_value setStage(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Handle* handle = arguments(env, info, args) ? handleOf(env, args[0]) : nullptr;
  void* words = nullptr;
  size_t bytes = 0;
  if (handle == nullptr || !handle->program || napi_get_arraybuffer_info(env, args[1], &words, &bytes) != napi_ok)
    return fail(env, "setStage(program, buffer): expected a program in use and an ArrayBuffer");
  if (handle->stage != nullptr) napi_delete_reference(env, handle->stage);
  napi_create_reference(env, args[1], 1, &handle->stage);
  handle->program->setStage(static_cast<int32_t*>(words), bytes / sizeof(int32_t));
  return nullptr;
}

napi_value run(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Handle* handle = arguments(env, info, args) ? handleOf(env, args[0]) : nullptr;
  if (handle == nullptr || !handle->program) return fail(env, "run(program): expected a program in use");
  napi_value result = nullptr;
  napi_get_boolean(env, handle->program->run(), &result);
  return result;
}

napi_value cacheStats(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Handle* handle = arguments(env, info, args) ? handleOf(env, args[0]) : nullptr;
  if (handle == nullptr || !handle->program) return fail(env, "cacheStats(program): expected a program in use");
  const AdCacheStats stats = handle->program->cacheStats();
  napi_value result = nullptr;
  napi_create_object(env, &result);
  const std::pair<const char*, uint64_t> entries[] = {{"hits", stats.hits},
                                                      {"misses", stats.misses},
                                                      {"entries", stats.entries},
                                                      {"bytes", stats.bytes},
                                                      {"budgetBytes", stats.budgetBytes}};
  for (const auto& [name, number] : entries) napi_set_named_property(env, result, name, numberOf(env, double(number)));
  return result;
}

napi_value stageRows(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Handle* handle = arguments(env, info, args) ? handleOf(env, args[0]) : nullptr;
  if (handle == nullptr || !handle->program) return fail(env, "stageRows(program): expected a program in use");
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (int stage = 0; stage < stageCount; stage++)
    napi_set_named_property(env, result, stageNames[stage], numberOf(env, double(handle->program->stageRows(Stage(stage)))));
  return result;
}

napi_value dispose(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Handle* handle = arguments(env, info, args) ? handleOf(env, args[0]) : nullptr;
  if (handle != nullptr) release(env, *handle);
  return nullptr;
}

double numberAt(napi_env env, napi_value value) {
  double number = 0;
  napi_get_value_double(env, value, &number);
  return number;
}

napi_value measurePeakOf(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Format format;
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr || !formatOf(env, args[1], format)) return fail(env, "measurePeak(kernels, format, seconds): unknown");
  return numberOf(env, measurePeak(*kernels, format, numberAt(env, args[2])));
}

napi_value measureProductOf(napi_env env, napi_callback_info info) {
  napi_value args[6];
  Format format;
  const Kernels* kernels = arguments(env, info, args) ? kernelsOf(env, args[0]) : nullptr;
  if (kernels == nullptr || !formatOf(env, args[1], format))
    return fail(env, "measureProduct(kernels, format, rows, k, n, seconds): unknown");
  int sizes[3];
  for (int i = 0; i < 3; i++) {
    const double size = numberAt(env, args[2 + i]);
    if (!(size >= 1 && size <= 65536)) return fail(env, "measureProduct: expected sizes from 1 to 65,536");
    sizes[i] = int(size);
  }
  return numberOf(env, measureProduct(*kernels, format, sizes[0], sizes[1], sizes[2], numberAt(env, args[5])));
}

napi_value measureReadOf(napi_env env, napi_callback_info info) {
  napi_value args[3];
  if (!arguments(env, info, args)) return fail(env, "measureRead(bytes, recordBytes, seconds)");
  const double bytes = numberAt(env, args[0]), record = numberAt(env, args[1]);
  if (!(bytes >= 4096 && bytes <= 1e10 && record >= 64 && record <= bytes)) return fail(env, "measureRead: sizes");
  return numberOf(env, measureRead(size_t(bytes), size_t(record), numberAt(env, args[2])));
}

napi_value init(napi_env env, napi_value exports) {
  const std::pair<const char*, napi_callback> functions[] = {
      {"kernelNames", kernelNames},   {"supports", supports},       {"packedBytes", packedBytesOf},
      {"pack", pack},                 {"createProgram", createProgram}, {"setStage", setStage},
      {"run", run},                   {"cacheStats", cacheStats},   {"stageRows", stageRows},
      {"dispose", dispose},
      {"mapFile", mapFile},           {"mapFileOver", mapFileOver}, {"measurePeak", measurePeakOf},
      {"measureProduct", measureProductOf}, {"measureRead", measureReadOf},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}

}  // namespace
}  // namespace limelight

NAPI_MODULE_INIT() { return limelight::init(env, exports); }
