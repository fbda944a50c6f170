#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

double activated(Activation activation, double x) {
  if (activation == Activation::relu) return x < 0 ? 0 : x;
  if (activation == Activation::linear) return x;
  return (activation == Activation::sigmoid ? 1 : 2) / (1 + std::exp(-x));
}

struct DenseCase {
  int rows, k, n;
  bool hasBias, isAdded;
  Activation activation;
};

void testDense(const RowKernels& kernels, const DenseCase& c, Random& random) {
  const Rows x(c.rows, c.k, random), added(c.rows, c.n, random), w(c.k, 0), y(c.rows, c.n);
  const Rows weights(1, c.k * c.n, random, false), bias(1, c.n, random);
  kernels.dense(c.rows, x.in(), c.k, weights[0], c.hasBias ? bias[0] : nullptr, c.isAdded ? added.in() : nullptr, c.n,
                c.activation, y.out());
  for (int i = 0; i < c.rows; i++) {
    for (int j = 0; j < c.n; j++) {
      double sum = c.hasBias ? bias[0][j] : 0, magnitude = std::fabs(sum);
      if (c.isAdded) {
        sum += added[i][j];
        magnitude += std::fabs(added[i][j]);
      }
      for (int k = 0; k < c.k; k++) {
        const double product = double(x[i][k]) * weights[0][k * c.n + j];
        sum += product;
        magnitude += std::fabs(product);
      }
      checkClose("a dense layer's number", y[i][j], activated(c.activation, sum), magnitude + 1, 4 + c.k);
    }
  }
}

void testProjection(const RowKernels& kernels, const std::vector<int>& sizes, int n, Random& random) {
  int width = 0;
  for (const int size : sizes) width += size;
  const int fields = static_cast<int>(sizes.size());
  const Rows x(1, width, random), w(1, width * n, random, false), y(1, fields * n);
  kernels.projectFields(x[0], sizes.data(), fields, w[0], n, y.out()[0]);
  for (int f = 0, from = 0; f < fields; from += sizes[f++]) {
    for (int j = 0; j < n; j++) {
      double sum = 0, magnitude = 0;
      for (int d = from; d < from + sizes[f]; d++) {
        const double product = double(x[0][d]) * w[0][d * n + j];
        sum += product;
        magnitude += std::fabs(product);
      }
      checkClose("a projected field's number", y[0][f * n + j], sum, magnitude, 4 + sizes[f]);
    }
  }
}

/// @param sameRows how many rows next to each other share their fields
void testGatedSum(const RowKernels& kernels, int rows, int fields, int n, int sameRows, bool accumulate,
                  Random& random) {
  const Rows gates(rows, fields, random), p(rows, fields * n, random), before(rows, n, random), y(rows, n);
  std::vector<const float*> shared;
  for (int i = 0; i < rows; i++) {
    shared.push_back(p[i / sameRows]);
    for (int j = 0; j < n; j++) y.out()[i][j] = before[i][j];
  }
  kernels.gatedSum(rows, gates.in(), shared.data(), fields, n, accumulate, y.out());
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < n; j++) {
      double sum = accumulate ? before[i][j] : 0, magnitude = std::fabs(sum);
      for (int f = 0; f < fields; f++) {
        const double product = double(gates[i][f]) * shared[i][f * n + j];
        sum += product;
        magnitude += std::fabs(product);
      }
      checkClose("a gated sum", y[i][j], sum, magnitude, 4 + fields);
    }
  }
}

}  // namespace

void testProducts(const Kernels& kernels) {
  Random random;
  for (const int n : lengths) {
    Tally::get().what = std::string(kernels.name) + ": products of " + std::to_string(n) + " columns";
    for (const int rows : {0, 1, 3, 4, 6}) {
      for (const int k : {0, 1, 11, 32}) {
        const auto activation = static_cast<Activation>(random.below(4));
        testDense(kernels.rows, {rows, k, n, random.below(2) == 1, random.below(2) == 1, activation}, random);
      }
    }
    testProjection(kernels.rows, {}, n, random);
    testProjection(kernels.rows, {16, 1, 7, 0, 33}, n, random);
    for (const int sameRows : {1, 2, 5, 9}) {
      testGatedSum(kernels.rows, 9, 5, n, sameRows, false, random);
      testGatedSum(kernels.rows, 9, 20, n, sameRows, true, random);
    }
  }
  Tally::get().what = std::string(kernels.name) + ": wide products";
  for (const int n : {512, 777}) testDense(kernels.rows, {2, 33, n, true, true, Activation::relu}, random);
}

}  // namespace limelight
