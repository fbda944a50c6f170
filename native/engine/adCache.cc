#include "adCache.h"

#include <algorithm>

namespace limelight {

AdCache::AdCache(size_t recordBytes, size_t budgetBytes, bool isChained) : recordBytes_((recordBytes + alignment - 1) / alignment * alignment) {
  stats_.budgetBytes = budgetBytes;
  const size_t bytesPerSet = sizeof(Set) + ways * (recordBytes_ + (isChained ? sizeof(Link) : 0));
  if (recordBytes == 0 || budgetBytes < bytesPerSet) return;
  const size_t sets = std::min<size_t>(budgetBytes / bytesPerSet, UINT32_MAX / ways);
  setMemory_ = Mapped(sets * sizeof(Set), true);
  recordMemory_ = Mapped(sets * ways * recordBytes_, true);
  if (isChained) linkMemory_ = Mapped(sets * ways * sizeof(Link), true);
  if (!setMemory_ || !recordMemory_ || (isChained && !linkMemory_)) return;
  sets_ = static_cast<Set*>(setMemory_.get());
  records_ = static_cast<std::byte*>(recordMemory_.get());
  links_ = static_cast<Link*>(linkMemory_.get());
  setCount_ = sets;
}

void AdCache::beginBatch() {
  now_++;
  if (followed_ + strayed_ > 0) isFollowed_ = followed_ > 8 * strayed_;
  followed_ = strayed_ = 0;
}

/// Batches since a record was used; an empty way is older than any.
uint32_t AdCache::ageOf(const Place& place) const {
  if (place.half->tags[place.way] == 0) return UINT32_MAX;
  const uint32_t age = now_ - place.half->usedAt[place.way];
  return links_ == nullptr ? age : std::min(age, now_ - links_[place.half->records[place.way]].usedAt);
}

AdCache::Record AdCache::take(uint64_t hash, uint64_t tag) {
  Place oldest{nullptr, 0};
  uint32_t oldestAge = 0;
  for (const uint64_t each : {hash, tag}) {
    Set& set = sets_[setOf(each)];
    for (int i = 0; i < 2; i++)
      for (int way = 0; way < ways / 2; way++) {
        const Place place{&set.halves[(each + i) % 2], way};
        const uint32_t age = ageOf(place);
        if (age <= oldestAge) continue;
        oldestAge = age;
        oldest = place;
      }
    if (oldestAge == UINT32_MAX) break;
  }
  stats_.misses++;
  if (oldest.half == nullptr) return none;
  const auto [half, way] = oldest;
  if (half->tags[way] == 0) {
    half->records[way] = static_cast<uint32_t>(stats_.entries++);
    stats_.bytes += recordBytes_;
    isCrowded_ = stats_.entries > setCount_ * ways / 2;
  }
  const Record record = half->records[way];
  half->tags[way] = tag;
  half->usedAt[way] = now_;
  if (links_ != nullptr) links_[record] = {tag, now_, 0};
  return record;
}

}  // namespace limelight
