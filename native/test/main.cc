#include <cstdio>

#include "../kernels/isa.h"
#include "check.h"

namespace limelight {

void testGathers(const Kernels& kernels);
void testFields(const Kernels& kernels);
void testNumbers(const Kernels& kernels);
void testProducts(const Kernels& kernels);
void testTiles(const Kernels& kernels);
void testSequences(const Kernels& kernels);
void testIds(const Kernels& kernels);
void testMatrix(const Kernels& kernels);

}  // namespace limelight

int main() {
  using namespace limelight;
  Tally& tally = Tally::get();
  std::string names;
  for (const Kernels* kernels : availableKernels()) {
    for (const auto test : {testGathers, testFields, testNumbers, testProducts, testTiles, testIds, testSequences, testMatrix}) {
      test(*kernels);
    }
    names += names.empty() ? kernels->name : std::string(", ") + kernels->name;
  }
  if (tally.failed > 0) {
    std::printf("native kernel tests: %d failed\n", tally.failed);
    return 1;
  }
  std::printf("native kernel tests: %ld passed (%s)\n", tally.passed, names.c_str());
  return 0;
}
