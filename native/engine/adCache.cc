#include "adCache.h"

#include <sys/mman.h>

#include <algorithm>

namespace limelight {

void AdCache::Unmap::operator()(std::byte* memory) const { munmap(memory, bytes); }

AdCache::AdCache(size_t recordBytes, size_t budgetBytes) : recordBytes_((recordBytes + 63) / 64 * 64) {
  stats_.budgetBytes = budgetBytes;
  const size_t bytesPerSet = ways * recordBytes_ + sizeof(Set);
  if (recordBytes == 0 || budgetBytes < bytesPerSet) return;
  const size_t sets = std::min<size_t>(budgetBytes / bytesPerSet, UINT32_MAX / ways);
  // Mapped, not allocated: pages no ad has used take no memory.
  const size_t bytes = sets * ways * recordBytes_;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);  // records lie at random: fewer page walks
#endif
  memory_ = std::unique_ptr<std::byte, Unmap>(static_cast<std::byte*>(memory), Unmap{bytes});
  sets_ = Aligned<Set>(sets);
  if (!sets_) return;
  records_ = memory_.get();
  setCount_ = sets;
}

std::byte* AdCache::find(uint64_t hash, uint64_t tag, bool& isNew) {
  tag |= tag == 0;
  Set& set = sets_[setOf(hash)];
  const auto recordOf = [&](int way) { return records_ + set.records[way] * recordBytes_; };
  int oldest = -1;
  uint32_t oldestAge = 0;
  for (int way = 0; way < ways; way++) {
    if (set.tags[way] == tag) {
      set.usedAt[way] = now_;
      stats_.hits++;
      isNew = false;
      return recordOf(way);
    }
    const uint32_t age = set.tags[way] == 0 ? UINT32_MAX : now_ - set.usedAt[way];
    if (age > oldestAge) {
      oldestAge = age;
      oldest = way;
    }
  }
  stats_.misses++;
  isNew = true;
  if (oldest < 0) return nullptr;
  if (set.tags[oldest] == 0) {
    set.records[oldest] = static_cast<uint32_t>(stats_.entries++);
    stats_.bytes += recordBytes_;
  }
  set.tags[oldest] = tag;
  set.usedAt[oldest] = now_;
  return recordOf(oldest);
}

}  // namespace limelight
