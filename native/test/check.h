#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

// What the kernel tests share: a tally of claims, chance, and memory that ends where the next byte may not be touched.

namespace limelight {

struct Tally {
  long passed = 0;
  int failed = 0;
  std::string what;  // is being tested

  static Tally& get() {
    static Tally tally;
    return tally;
  }
};

inline void check(bool holds, const char* claim, double got, double expected) {
  Tally& tally = Tally::get();
  if (holds) {
    tally.passed++;
  } else if (tally.failed++ < 20) {
    std::printf("%s: %s: got %.9g, expected %.9g\n", tally.what.c_str(), claim, got, expected);
  }
}

/// That a float is the double, but for `ulps` roundings of numbers as large as `magnitude`; NaN for NaN.
inline void checkClose(const char* claim, float got, double expected, double magnitude, double ulps = 2) {
  const bool holds = std::isnan(expected) ? std::isnan(got)
                     : std::isinf(expected) ? got == expected
                                            : std::fabs(got - expected) <= ulps * 1.2e-7 * magnitude + 1e-37;
  check(holds, claim, got, expected);
}

/// That two numbers are the same, NaN and NaN too.
inline void checkSame(const char* claim, double got, double expected) {
  check(got == expected || (std::isnan(got) && std::isnan(expected)), claim, got, expected);
}

struct Random {
  uint64_t state = 1;
  uint32_t bits() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
  }
  int below(int n) { return static_cast<int>(bits() % static_cast<uint32_t>(n)); }
  /// In [−1, 1).
  float number() { return static_cast<float>(static_cast<int>(bits() & 0xffff) - 0x8000) / 32768.0f; }
  /// Now and then one that is hard to treat.
  float hardNumber() {
    constexpr float hard[] = {NAN, 1e-40f, -1e-44f, 0.0f, -0.0f, 1e18f, -3e-39f, 1.00390625f};
    return below(16) == 0 ? hard[below(8)] : number();
  }
};

/// Numbers that end at the end of a page, before one that no one may touch; they begin at any multiple of their size.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t usable = (count * sizeof(T) + page - 1) / page * page;
    bytes_ = usable + page;
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED || mprotect(static_cast<char*>(memory_) + usable, page, PROT_NONE) != 0) std::abort();
    start_ = reinterpret_cast<T*>(static_cast<char*>(memory_) + usable) - count;
  }
  Guarded(Guarded&& other) noexcept
      : memory_(other.memory_), bytes_(other.bytes_), start_(other.start_), count_(other.count_) {
    other.memory_ = nullptr;
  }
  ~Guarded() {
    if (memory_) munmap(memory_, bytes_);
  }
  T* get() const { return start_; }
  T& operator[](size_t i) const { return start_[i]; }
  size_t size() const { return count_; }

 private:
  void* memory_;
  size_t bytes_;
  T* start_;
  size_t count_;
};

/// Rows of numbers, each on guarded memory of its own, and pointers to them.
template <typename T = float>
struct Rows {
  std::vector<Guarded<T>> rows;
  std::vector<T*> pointers;

  Rows(int count, int width) {
    for (int i = 0; i < count; i++) {
      rows.emplace_back(static_cast<size_t>(width));
      pointers.push_back(rows.back().get());
    }
  }
  Rows(int count, int width, Random& random, bool hard = true) : Rows(count, width) {
    for (const Guarded<T>& row : rows) {
      for (int j = 0; j < width; j++) row[j] = hard ? random.hardNumber() : random.number();
    }
  }
  const T* operator[](int i) const { return pointers[i]; }
  T* const* out() const { return pointers.data(); }
  const T* const* in() const { return pointers.data(); }
  template <typename U>
  const U* const* as() const { return reinterpret_cast<const U* const*>(pointers.data()); }
};

/// Around and between the numbers of lanes of all instruction sets: 1, 4, 8 and 16.
constexpr int lengths[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50, 67, 130};

inline float fromBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline uint32_t bitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

inline float fromBf16(uint16_t half) { return fromBits(uint32_t{half} << 16); }

/// The nearest of the two bf16 numbers around x, the even one of two as near; infinity counts as 2¹²⁸.
inline float nearestBf16(float x) {
  if (std::isnan(x) || std::isinf(x)) return x;
  const uint32_t below = bitsOf(x) & 0xffff0000u, above = below + 0x10000u;
  const double past = (above & 0x7fffffffu) == 0x7f800000u ? std::copysign(0x1p128, x) : double(fromBits(above));
  const double down = std::fabs(double(x) - fromBits(below)), up = std::fabs(past - x);
  if (down != up) return fromBits(down < up ? below : above);
  return fromBits(below & 0x10000u ? above : below);
}

/// That a bf16 number is the nearest to x; 0 will do for a denormal one, as to an instruction of some processors.
inline void checkBf16(const char* claim, double got, float x) {
  const bool isDenormal = std::fabs(x) < 0x1p-126f;
  if (!(isDenormal && got == 0)) checkSame(claim, got, nearestBf16(x));
}

}  // namespace limelight
