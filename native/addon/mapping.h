#pragma once
#include <node_api.h>

namespace limelight {

/// mapFile(path: string): ArrayBuffer. Maps a file privately: pages are read when they are touched and shared with other
/// processes until they are written to, which changes neither the file nor what others see. Unmapped when collected.
/// Throws an Error with `errno` and `path` where it cannot be opened or mapped, and one of Node's where it is larger than
/// a buffer may be (4 GiB on Node 20).
/// The file must not shrink while it is mapped: touching what is gone ends the process (SIGBUS).
napi_value mapFile(napi_env env, napi_callback_info info);

/// mapFileOver(path: string, pages: Uint8Array): maps a file as `mapFile` does, over memory that is given up for it: all of
/// the pages that the array, as long as the file, lies in. Who owns that memory must return it to the system by munmap and
/// never use it again for anything else, as V8 does with a WebAssembly memory and malloc does not.
napi_value mapFileOver(napi_env env, napi_callback_info info);

}  // namespace limelight
