#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace limelight {

/// Memory that begins on a cache line and holds zeros, in whole lines; the one way the engine allocates what kernels touch.
template <typename T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(size_t count) : count_(count) {
    const size_t bytes = (count * sizeof(T) + 63) / 64 * 64 + 64;  // a line more: kernels may read a whole vector at the end
    data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
    if (data_) std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }
  T* get() const { return data_.get(); }
  T& operator[](size_t i) const { return data_.get()[i]; }
  size_t size() const { return count_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> data_;
  size_t count_ = 0;
};

}  // namespace limelight
