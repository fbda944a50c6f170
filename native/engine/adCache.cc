#include "adCache.h"

#include <algorithm>

namespace limelight {

AdCache::AdCache(size_t recordBytes, size_t budgetBytes) : recordBytes_((recordBytes + 63) / 64 * 64) {
  stats_.budgetBytes = budgetBytes;
  const size_t bytesPerSet = ways * recordBytes_ + sizeof(Set);
  if (recordBytes == 0 || budgetBytes < bytesPerSet) return;
  const size_t sets = std::min<size_t>(budgetBytes / bytesPerSet, UINT32_MAX / ways);
  setMemory_ = Mapped(sets * sizeof(Set), true);
  recordMemory_ = Mapped(sets * ways * recordBytes_, true);
  if (!setMemory_ || !recordMemory_) return;
  sets_ = static_cast<Set*>(setMemory_.get());
  records_ = static_cast<std::byte*>(recordMemory_.get());
  setCount_ = sets;
}

std::byte* AdCache::take(Set& set, uint64_t tag) {
  int oldest = -1;
  uint32_t oldestAge = 0;
  for (int way = 0; way < ways; way++) {
    const uint32_t age = set.tags[way] == 0 ? UINT32_MAX : now_ - set.usedAt[way];
    if (age > oldestAge) {
      oldestAge = age;
      oldest = way;
    }
  }
  stats_.misses++;
  if (oldest < 0) return nullptr;
  if (set.tags[oldest] == 0) {
    set.records[oldest] = static_cast<uint32_t>(stats_.entries++);
    stats_.bytes += recordBytes_;
  }
  set.tags[oldest] = tag;
  set.usedAt[oldest] = now_;
  return records_ + set.records[oldest] * recordBytes_;
}

}  // namespace limelight
