#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

constexpr int rowCount = 3;

void testElementwise(const RowKernels& kernels, int n, Random& random) {
  const Rows a(rowCount, n, random), b(rowCount, n, random), c(rowCount, n, random);
  const Rows sums(rowCount, n), products(rowCount, n), both(rowCount, n), copies(rowCount, n);
  kernels.add(rowCount, a.in(), b.in(), n, sums.out());
  kernels.multiply(rowCount, a.in(), b.as<void>(), false, n, products.out(), nullptr);
  kernels.multiplyAdd(rowCount, a.in(), b.in(), c.in(), n, both.out());
  kernels.copy(rowCount, a.in(), n, copies.out());
  const Guarded<float> totals(rowCount);
  for (int i = 0; i < rowCount; i++) totals[i] = static_cast<float>(i);
  kernels.sum(rowCount, a.in(), n, totals.get());
  for (int i = 0; i < rowCount; i++) {
    double total = i, magnitude = i;
    for (int j = 0; j < n; j++) {
      checkSame("a sum of two", sums[i][j], a[i][j] + b[i][j]);
      checkSame("a product of two", products[i][j], a[i][j] * b[i][j]);
      const double product = double(a[i][j]) * b[i][j];
      checkClose("a product plus a number", both[i][j], product + c[i][j], std::fabs(product) + std::fabs(c[i][j]));
      checkSame("a copy", copies[i][j], a[i][j]);
      total += a[i][j];
      magnitude += std::fabs(a[i][j]);
    }
    checkClose("a sum of all", totals[i], total, magnitude, 4 + n);
  }
  kernels.add(rowCount, sums.in(), b.in(), n, sums.out());  // in place
  for (int j = 0; j < n; j++) checkSame("a sum in place", sums[0][j], (a[0][j] + b[0][j]) + b[0][j]);
}

void testBf16(const RowKernels& kernels, int n, Random& random) {
  const Rows x(rowCount, n, random);
  const Rows<uint16_t> narrow(rowCount, n);
  for (int i = 0; i < rowCount; i++) {
    for (int j = 0; j < n; j++) {
      // Halfway between two bf16 numbers, to even below and above; the largest; NaNs that only the lower half tells.
      constexpr uint32_t hard[] = {0x3f808000, 0x3f818000, 0x7f7fffff, 0x7f800001, 0xffffffff, 0x7f800000, 0x00008000};
      if (random.below(4) == 0) x.out()[i][j] = fromBits(hard[random.below(7)]);
    }
  }
  kernels.narrow(rowCount, x.in(), n, narrow.out());
  for (int i = 0; i < rowCount; i++) {
    for (int j = 0; j < n; j++) checkBf16("a bf16 number", fromBf16(narrow[i][j]), x[i][j]);
  }
  const Rows<float> wide(rowCount, n);
  kernels.widen(rowCount, narrow.in(), n, wide.out());
  const Rows a(rowCount, n, random), sums(rowCount, n);
  kernels.addWidened(rowCount, a.in(), narrow.in(), n, sums.out());
  for (int i = 0; i < rowCount; i++) {
    for (int j = 0; j < n; j++) {
      checkSame("a bf16 number as a float", wide[i][j], fromBf16(narrow[i][j]));
      checkSame("a number plus a bf16 number", sums[i][j], a[i][j] + fromBf16(narrow[i][j]));
    }
  }
}

void testActivations(const RowKernels& kernels, int n, Random& random) {
  for (int a = 0; a < 4; a++) {
    const auto activation = static_cast<Activation>(a);
    const Rows x(rowCount, n, random), y(rowCount, n);
    for (int i = 0; i < rowCount; i++) {
      for (int j = 0; j < n; j++) {
        if (random.below(2)) x.out()[i][j] *= 100.0f;
        if (random.below(20) == 0) x.out()[i][j] = random.below(2) ? INFINITY : -INFINITY;
      }
    }
    // act(0 + x): a product of no columns.
    kernels.dense(rowCount, x.in(), 0, nullptr, nullptr, x.in(), n, activation, y.out());
    for (int i = 0; i < rowCount; i++) {
      for (int j = 0; j < n; j++) {
        const double v = x[i][j];
        double expected = v;
        if (activation == Activation::relu) expected = v < 0 ? 0 : v;
        if (activation == Activation::sigmoid) expected = 1 / (1 + std::exp(-v));
        if (activation == Activation::doubleSigmoid) expected = 2 / (1 + std::exp(-v));
        // Relative to the number itself: eˣ is within 1e-6 as far as it saturates.
        checkClose("an activated number", y[i][j], expected, std::fabs(expected), 8);
      }
    }
  }
}

void testSoftmax(const RowKernels& kernels, int n, Random& random) {
  const Rows x(rowCount, n, random, false), y(rowCount, n);
  for (int j = 0; j < n; j++) {
    x.out()[0][j] *= 300.0f;                   // powers of most would overflow
    x.out()[1][j] = 30.0f * x[1][j] - 200.0f;  // all far below 0
    if (j == n / 2) x.out()[2][j] = NAN;
  }
  kernels.softmax(rowCount, x.in(), n, y.out());
  for (int i = 0; i < rowCount; i++) {
    double most = -INFINITY, total = 0;
    for (int j = 0; j < n; j++) most = std::fmax(most, x[i][j]);
    for (int j = 0; j < n; j++) total += std::exp(x[i][j] - most);
    for (int j = 0; j < n; j++) checkClose("a share", y[i][j], std::exp(x[i][j] - most) / total, 1, 8);
  }
}

void testTimesSigmoid(const RowKernels& kernels, int rows, Random& random) {
  const Rows x(rows, 1, random);
  const Guarded<float> p(rows), before(rows);
  for (int i = 0; i < rows; i++) p[i] = before[i] = std::fabs(random.number());
  kernels.timesSigmoid(rows, x.in(), p.get());
  for (int i = 0; i < rows; i++) checkClose("a probability", p[i], before[i] / (1 + std::exp(-double(x[i][0]))), 1, 8);
}

}  // namespace

void testNumbers(const Kernels& kernels) {
  Random random;
  for (const int n : lengths) {
    Tally::get().what = std::string(kernels.name) + ": " + std::to_string(n) + " numbers";
    testElementwise(kernels.rows, n, random);
    testBf16(kernels.rows, n, random);
    testActivations(kernels.rows, n, random);
    testSoftmax(kernels.rows, n, random);
    testTimesSigmoid(kernels.rows, n, random);
  }
}

}  // namespace limelight
