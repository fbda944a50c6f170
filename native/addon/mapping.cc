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

/// The path of the call's only argument; false, with a pending exception, if it is none.
bool readPath(napi_env env, napi_callback_info info, std::string& path) {
  napi_value argument = nullptr;
  size_t count = 1, length = 0;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (count < 1 || napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
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
Mapping map(const char* path) {
  Mapping mapping;
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // without waiting for a pipe's other end
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) {
    mapping.error = errno;
  } else if (!S_ISREG(status.st_mode)) {
    mapping.error = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
  } else if (status.st_size > 0) {
    mapping.size = static_cast<size_t>(status.st_size);
    // Writable, so that a write through JavaScript is a copy of a page and no crash; no swap is set aside for such copies.
    mapping.data = mmap(nullptr, mapping.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    if (mapping.data == MAP_FAILED) mapping.error = errno;
  }
  if (file >= 0) close(file);
  return mapping;
}

void unmap(napi_env, void* data, void* size) { munmap(data, reinterpret_cast<uintptr_t>(size)); }

}  // namespace

napi_value mapFile(napi_env env, napi_callback_info info) {
  std::string path;
  if (!readPath(env, info, path)) return nullptr;
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

}  // namespace limelight
