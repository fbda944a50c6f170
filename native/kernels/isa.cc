#include "isa.h"

#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace limelight {

extern const MatrixKernels matrixScalar, matrixNeon, matrixAvx2, matrixAvx512, matrixAmx;
extern const RowKernels rowsScalar, rowsNeon, rowsAvx2, rowsAvx512, rowsAmx;

namespace {

#if defined(__x86_64__)

/// What the processor has and the system saves at a change of threads.
struct Processor {
  bool avx2 = false;
  bool avx512 = false;
  bool amx = false;

  Processor() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    constexpr unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    constexpr unsigned needed = fma | osxsave | avx | f16c;
    if ((c & needed) != needed) return;
    unsigned saved, high;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));  // the intrinsic would need -mxsave for the whole file
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    avx2 = (saved & 0x6) == 0x6 && b >> 5 & 1;
    constexpr unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    avx512 = avx2 && (saved & 0xe6) == 0xe6 && (b & (f | dq | bw | vl)) == (f | dq | bw | vl);
    constexpr unsigned amxBf16 = 1u << 22, amxTile = 1u << 24, amxInt8 = 1u << 25;
    constexpr unsigned tiles = amxBf16 | amxTile | amxInt8;
    amx = avx512 && (saved >> 17 & 3) == 3 && (d & tiles) == tiles && tilesGranted();
  }

  /// Linux lets a process use the tiles' data only if it asks.
  static bool tilesGranted() {
#if defined(__linux__)
    constexpr int requestPermission = 0x1023, tileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
    return false;
#endif
  }
};

std::vector<const Kernels*> findKernels() {
  static const Kernels amx = {"amx", matrixAmx, rowsAmx};
  static const Kernels avx512 = {"avx512", matrixAvx512, rowsAvx512};
  static const Kernels avx2 = {"avx2", matrixAvx2, rowsAvx2};
  static const Kernels scalar = {"scalar", matrixScalar, rowsScalar};
  const Processor processor;
  std::vector<const Kernels*> found;
  if (processor.amx) found.push_back(&amx);
  if (processor.avx512) found.push_back(&avx512);
  if (processor.avx2) found.push_back(&avx2);
  found.push_back(&scalar);
  return found;
}

#else

std::vector<const Kernels*> findKernels() {
  static const Kernels scalar = {"scalar", matrixScalar, rowsScalar};
#if defined(__aarch64__)
  static const Kernels neon = {"neon", matrixNeon, rowsNeon};  // every 64-bit ARM has it
  return {&neon, &scalar};
#else
  return {&scalar};
#endif
}

#endif

}  // namespace

const std::vector<const Kernels*>& availableKernels() {
  static const std::vector<const Kernels*> available = findKernels();
  return available;
}

const Kernels* kernelsNamed(const char* name) {
  for (const Kernels* kernels : availableKernels()) {
    if (!*name || std::strcmp(kernels->name, name) == 0) return kernels;
  }
  return nullptr;
}

}  // namespace limelight
