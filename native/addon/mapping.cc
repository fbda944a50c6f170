#include "mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace limelight {
namespace {

/// Throws an Error with `errno` (negative, as Node has it) and `path`.
napi_value fail(napi_env env, const std::string& path, int error) {
  const std::string text = "cannot map '" + path + "': " + strerror(error);
  napi_value message = nullptr, exception = nullptr, number = nullptr, name = nullptr;
  napi_create_string_utf8(env, text.c_str(), text.size(), &message);
  napi_create_string_utf8(env, path.c_str(), path.size(), &name);
  napi_create_int32(env, -error, &number);
  napi_create_error(env, nullptr, message, &exception);
  napi_set_named_property(env, exception, "errno", number);
  napi_set_named_property(env, exception, "path", name);
  napi_throw(env, exception);
  return nullptr;
}

/// A path; false, with a pending exception, if it is none.
bool readPath(napi_env env, napi_value argument, std::string& path) {
  size_t length = 0;
  if (argument == nullptr || napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, "mapFile: expected a path");
    return false;
  }
  path.resize(length);
  napi_get_value_string_utf8(env, argument, path.data(), length + 1, &length);
  // The system would stop reading at the first zero, and open another file.
  if (path.find('\0') != std::string::npos) {
    napi_throw_type_error(env, nullptr, "mapFile: expected a path without zero bytes");
    return false;
  }
  return true;
}

struct Mapping {
  void* data = nullptr;
  size_t size = 0;
  int error = 0;
};

/// Maps a whole regular file; an empty one is no mapping and no error.
/// @param over where, in place of the pages there, which are `overBytes` of the file and no more; anywhere if null
Mapping map(const char* path, void* over = nullptr, size_t overBytes = 0) {
  Mapping mapping;
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // without waiting for a pipe's other end
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) {
    mapping.error = errno;
  } else if (!S_ISREG(status.st_mode)) {
    mapping.error = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
  } else if (over != nullptr && static_cast<size_t>(status.st_size) != overBytes) {
    mapping.error = ESTALE;
  } else if (status.st_size > 0) {
    mapping.size = static_cast<size_t>(status.st_size);
    // Writable, so that a write through JavaScript is a copy of a page and no crash; no swap is set aside for such copies.
    const int flags = MAP_PRIVATE | MAP_NORESERVE | (over == nullptr ? 0 : MAP_FIXED);
    mapping.data = mmap(over, mapping.size, PROT_READ | PROT_WRITE, flags, file, 0);
    if (mapping.data == MAP_FAILED) mapping.error = errno;
  }
  if (file >= 0) close(file);
  return mapping;
}

void unmap(napi_env, void* data, void* size) { munmap(data, reinterpret_cast<uintptr_t>(size)); }

}  // namespace

napi_value mapFile(napi_env env, napi_callback_info info) {
  napi_value argument = nullptr;
  size_t count = 1;
  std::string path;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || !readPath(env, argument, path)) return nullptr;
  const Mapping mapping = map(path.c_str());
  if (mapping.error != 0) return fail(env, path, mapping.error);
  napi_value buffer = nullptr;
  if (mapping.size == 0) {
    void* none = nullptr;
    napi_create_arraybuffer(env, 0, &none, &buffer);
    return buffer;
  }
  void* size = reinterpret_cast<void*>(static_cast<uintptr_t>(mapping.size));
  const napi_status made = napi_create_external_arraybuffer(env, mapping.data, mapping.size, unmap, size, &buffer);
  // With an exception pending (too large a buffer, say) Node has taken the memory over and calls `unmap`.
  if (made == napi_ok || made == napi_pending_exception) return buffer;
  munmap(mapping.data, mapping.size);
  return fail(env, path, ENOTSUP);
}

napi_value mapFileOver(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  std::string path;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || !readPath(env, arguments[0], path)) return nullptr;
  napi_typedarray_type type;
  void* pages = nullptr;
  size_t bytes = 0;
  if (napi_get_typedarray_info(env, arguments[1], &type, &bytes, &pages, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array || bytes == 0 || reinterpret_cast<uintptr_t>(pages) % sysconf(_SC_PAGESIZE) != 0) {
    napi_throw_type_error(env, nullptr, "mapFileOver: expected a Uint8Array of whole pages");
    return nullptr;
  }
  const Mapping mapping = map(path.c_str(), pages, bytes);
  return mapping.error == 0 ? nullptr : fail(env, path, mapping.error);
}

}  // namespace limelight
