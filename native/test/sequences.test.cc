#include "../kernels/kernels.h"
#include "check.h"

namespace limelight {
namespace {

/// Sequences of `length` events of `size` numbers, of which some are there: all, none, or any number of them.
struct Sequences {
  int length, size;
  Rows<float> events;
  std::vector<int> counts;

  Sequences(int rows, int length, int size, Random& random) : length(length), size(size), events(rows, length * size) {
    for (int i = 0; i < rows; i++) {
      counts.push_back(i == 0 ? length : i == 1 ? 0 : random.below(length + 1));
      for (int e = 0; e < counts[i]; e++) {
        for (int d = 0; d + 1 < size; d++) events.out()[i][e * size + d] = random.number();
        events.out()[i][(e + 1) * size - 1] = 1;
      }
    }
  }
};

void testGather(const RowKernels& kernels, int rows, int length, int size, Random& random) {
  constexpr int tableRows = 9, offset = 2;
  const int stride = size + 3;
  const Guarded<float> values(static_cast<size_t>(tableRows * size));
  for (size_t i = 0; i < values.size(); i++) values[i] = random.hardNumber();
  const Guarded<int32_t> offsets(rows + 1);
  offsets[0] = 1;  // a block of a longer column
  for (int i = 0; i < rows; i++) offsets[i + 1] = offsets[i] + (i == 0 ? length : random.below(length + 1));
  const Guarded<int32_t> ids(offsets[rows]);
  for (size_t i = 0; i < ids.size(); i++) ids[i] = random.below(tableRows);
  const Rows<float> out(rows, length * stride);
  for (int i = 0; i < rows; i++) std::fill_n(out.out()[i], length * stride, 7.0f);
  kernels.gatherSequence(rows, offsets.get(), ids.get(), {values.get(), size}, length, stride, out.out(), offset);
  for (int i = 0; i < rows; i++) {
    for (int e = 0; e < length; e++) {
      const bool isThere = e < offsets[i + 1] - offsets[i];
      for (int d = 0; d < stride; d++) {
        const bool isField = d >= offset && d < offset + size;
        const double expected = !isField ? 7 : isThere ? values[ids[offsets[i] + e] * size + d - offset] : 0;
        checkSame("an event's number", out[i][e * stride + d], expected);
      }
    }
  }
}

void testPool(const RowKernels& kernels, int rows, int length, int size, Random& random) {
  const Sequences x(rows, length, size, random);
  const Rows<float> y(rows, size);
  kernels.poolMean(rows, x.events.in(), length, size, y.out());
  for (int i = 0; i < rows; i++) {
    for (int d = 0; d < size; d++) {
      double sum = 0;
      for (int e = 0; e < x.counts[i]; e++) sum += x.events[i][e * size + d];
      checkClose("a mean of events", y[i][d], x.counts[i] > 0 ? sum / x.counts[i] : 0, 1, 4 + length);
    }
  }
}

void testProjection(const RowKernels& kernels, int rows, int length, int size, int units, Random& random) {
  const Sequences x(rows, length, size, random);
  const Rows<float> w(1, size * units, random, false), y(rows, length * units);
  kernels.projectSequence(rows, x.events.in(), length, size, w[0], units, y.out());
  for (int i = 0; i < rows; i++) {
    for (int e = 0; e < x.counts[i]; e++) {
      for (int u = 0; u < units; u++) {
        double sum = 0, magnitude = 0;
        for (int d = 0; d < size; d++) {
          const double product = double(x.events[i][e * size + d]) * w[0][d * units + u];
          sum += product;
          magnitude += std::fabs(product);
        }
        checkClose("a key's number", y[i][e * units + u], sum, magnitude, 4 + size);
      }
    }
  }
}

/// The weights of events whose scores these are.
std::vector<double> weightsOf(const std::vector<double>& scores, bool isSoftmax) {
  double most = -INFINITY, total = 0;
  for (const double score : scores) most = std::fmax(most, score);
  for (const double score : scores) total += std::exp(score - most);
  std::vector<double> weights;
  for (const double score : scores) weights.push_back(isSoftmax ? std::exp(score - most) / total : 1 / (1 + std::exp(-score)));
  return weights;
}

/// @param sequences how many there are; rows next to each other share them
/// @param largest of a query's numbers: some make one weight 1 and the others 0
void testAttend(const RowKernels& kernels, int rows, int sequences, const Attention& attention, float largest, Random& random) {
  const auto [length, units, size, isSoftmax] = attention;
  const Sequences x(sequences, length, size, random);
  const Rows<float> ownKeys(sequences, length * units, random, false), q(rows, units, random, false), y(rows, size);
  const Guarded<float> scratch(attention.scratch());
  std::fill_n(scratch.get(), scratch.size(), NAN);
  std::vector<const float*> keys, events;
  for (int i = 0; i < rows; i++) {
    keys.push_back(ownKeys[i * sequences / rows]);
    events.push_back(x.events[i * sequences / rows]);
    for (int u = 0; u < units; u++) q.out()[i][u] *= largest;
  }
  kernels.attend(rows, attention, q.in(), keys.data(), events.data(), scratch.get(), y.out());
  for (int i = 0; i < rows; i++) {
    std::vector<double> scores;
    double magnitude = 0;
    for (int e = 0; e < x.counts[i * sequences / rows]; e++) {
      double score = 0, sum = 0;
      for (int u = 0; u < units; u++) {
        const double product = double(q[i][u]) * keys[i][e * units + u] / std::sqrt(units);
        score += product;
        sum += std::fabs(product);
      }
      magnitude = std::fmax(magnitude, sum);
      scores.push_back(score);
    }
    const std::vector<double> weights = weightsOf(scores, isSoftmax);
    for (int d = 0; d < size; d++) {
      double sum = 0, absolute = 0;
      for (size_t e = 0; e < weights.size(); e++) {
        sum += weights[e] * events[i][e * size + d];
        absolute += weights[e] * std::fabs(events[i][e * size + d]);
      }
      // A score's rounding is a share of its products, and so is a weight's.
      checkClose("a number of what is attended to", y[i][d], sum, absolute + 1e-6, 20 + length + (4 + units) * magnitude);
    }
  }
}

}  // namespace

void testSequences(const Kernels& kernels) {
  Random random;
  for (const int length : {1, 3, 4, 5, 8, 15, 16, 17, 30, 33, 50}) {
    Tally::get().what = std::string(kernels.name) + ": sequences of " + std::to_string(length);
    for (const int size : {1, 2, 9, 16, 17, 49}) {
      testGather(kernels.rows, 4, length, size, random);
      testPool(kernels.rows, 5, length, size, random);
      for (const int units : {1, 7, 16, 33}) {
        testProjection(kernels.rows, 3, length, size, units, random);
        for (const bool softmax : {true, false}) {
          const Attention attention{length, units, size, softmax};
          testAttend(kernels.rows, 70, 1, attention, 1, random);
          testAttend(kernels.rows, 11, 11, attention, 1, random);
          testAttend(kernels.rows, 9, 3, attention, 300, random);
        }
      }
    }
  }
  testAttend(kernels.rows, 0, 1, {4, 4, 4, true}, 1, random);
}

}  // namespace limelight
