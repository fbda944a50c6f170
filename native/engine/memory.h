#pragma once
#include <sys/mman.h>

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

/// Much memory that holds zeros and is taken from the system page by page, as it is written to.
class Mapped {
 public:
  Mapped() = default;
  /// @param huge whether it is taken in huge pages: fewer page walks where it is read at random and most of it is used
  explicit Mapped(size_t bytes, bool huge) : bytes_(bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = memory;
#ifdef MADV_HUGEPAGE
    if (huge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  }
  Mapped(Mapped&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  Mapped& operator=(Mapped&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapped() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }
  void* get() const { return memory_; }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace limelight
