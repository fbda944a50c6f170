#include "pack.h"
#include "tables.h"
#include "vectors512.h"

namespace limelight {
namespace {

// AVX-512 is older than its dot products; and Intel's cores do `VDPBF16PS` at half the rate of FMA, AMD's at twice it.
bool supports(Format format) {
  if (format == Format::f32) return true;
  if (format == Format::u8) return __builtin_cpu_supports("avx512vnni");
  if (format == Format::bf16) return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_is("amd");
  return false;
}

void multiply(const Piece& piece) {
  if (piece.format == Format::f32) return multiplyPiece<Format::f32>(piece);
  if (piece.format == Format::bf16) return multiplyPiece<Format::bf16>(piece);
  multiplyPiece<Format::u8>(piece);
}

uint64_t multiplyAdds(Format format, uint64_t rounds) {
  if (format == Format::u8) return multiplyAddRounds<Format::u8>(rounds);
  if (format == Format::bf16) return multiplyAddRounds<Format::bf16>(rounds);
  return multiplyAddRounds<Format::f32>(rounds);
}

}  // namespace

const MatrixKernels matrixAvx512 = {
    supports, packedBytes, packWeights, packRows, productInBlocks<multiply>, [] {}, [] {}, multiplyAdds,
};

}  // namespace limelight
