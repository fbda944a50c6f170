#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

void testMeans(const RowKernels& kernels, const std::vector<int>& sizes, Random& random) {
  int width = 0;
  for (const int size : sizes) width += size;
  const int rows = 3, fields = static_cast<int>(sizes.size());
  const Rows x(rows, width, random), y(rows, fields);
  kernels.means(rows, x.in(), sizes.data(), fields, y.out());
  for (int i = 0; i < rows; i++) {
    for (int f = 0, from = 0; f < fields; from += sizes[f++]) {
      double sum = 0, magnitude = 0;
      for (int d = from; d < from + sizes[f]; d++) {
        sum += x[i][d];
        magnitude += std::fabs(x[i][d]);
      }
      checkClose("a mean", y[i][f], sum / sizes[f], magnitude / sizes[f], 4 + sizes[f]);
    }
  }
}

void testPairs(const RowKernels& kernels, int fields, int size, Random& random) {
  const int rows = 2;
  const Rows x(rows, fields * size, random), inner(rows, fields * (fields - 1) / 2), fm(rows, 1);
  kernels.inner(rows, x.in(), fields, size, inner.out());
  kernels.fm(rows, x.in(), fields, size, fm.out());
  for (int i = 0; i < rows; i++) {
    int pair = 0;
    for (int a = 0; a < fields; a++) {
      for (int b = a + 1; b < fields; b++) {
        double sum = 0, magnitude = 0;
        for (int d = 0; d < size; d++) {
          const double product = double(x[i][a * size + d]) * x[i][b * size + d];
          sum += product;
          magnitude += std::fabs(product);
        }
        checkClose("an inner product", inner[i][pair++], sum, magnitude, 4 + size);
      }
    }
    double total = 0, magnitude = 0;
    for (int d = 0; d < size; d++) {
      double sum = 0, squares = 0, absolute = 0;
      for (int f = 0; f < fields; f++) {
        const double v = x[i][f * size + d];
        sum += v;
        squares += v * v;
        absolute += std::fabs(v);
      }
      total += sum * sum - squares;
      magnitude += absolute * absolute;
    }
    checkClose("a factorisation machine's term", fm[i][0], total / 2, magnitude, 8 + fields + size);
  }
}

}  // namespace

void testFields(const Kernels& kernels) {
  Random random;
  Tally::get().what = std::string(kernels.name) + ": fields";
  for (const int fields : {0, 1, 3, 4, 5, 16, 17, 20}) {
    std::vector<int> same(fields, 16), mixed;
    for (int f = 0; f < fields; f++) mixed.push_back(1 + random.below(40));
    testMeans(kernels.rows, same, random);
    testMeans(kernels.rows, mixed, random);
  }
  for (const int size : lengths) {
    for (const int fields : {1, 2, 3, 9, 17, 20, 33}) testPairs(kernels.rows, fields, size, random);
  }
}

}  // namespace limelight
