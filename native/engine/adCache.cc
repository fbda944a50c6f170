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

std::byte* AdCache::take(Set& set, int own, uint64_t tag) {
  Half* half = nullptr;
  int oldest = -1;
  uint32_t oldestAge = 0;
  for (int i = 0; i < 2; i++) {
    Half& each = set.halves[(own + i) % 2];
    for (int way = 0; way < ways / 2; way++) {
      const uint32_t age = each.tags[way] == 0 ? UINT32_MAX : now_ - each.usedAt[way];
      if (age <= oldestAge) continue;
      oldestAge = age;
      oldest = way;
      half = &each;
    }
  }
  stats_.misses++;
  if (oldest < 0) return nullptr;
  if (half->tags[oldest] == 0) {
    half->records[oldest] = static_cast<uint32_t>(stats_.entries++);
    stats_.bytes += recordBytes_;
    isCrowded_ = stats_.entries > setCount_ * ways / 2;
  }
  half->tags[oldest] = tag;
  half->usedAt[oldest] = now_;
  return records_ + half->records[oldest] * recordBytes_;
}

}  // namespace limelight
