#pragma once
#include <cstdint>
#include <vector>

#include "memory.h"

namespace limelight {

struct AdCacheStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  uint64_t budgetBytes = 0;
};

/// Records of what depends on an ad (or creative) alone, found by a 128-bit hash of all the ids and numbers it is made of: an ad
/// whose fields change is another key, so nothing here can be stale. Sets of eight; the least recently used of a set goes
/// first, and never one that the batch at hand uses.
class AdCache {
 public:
  static constexpr int ways = 8;

  /// A budget too small for a set holds nothing.
  AdCache(size_t recordBytes, size_t budgetBytes);

  bool holdsAny() const { return setCount_ > 0; }

  /// Begins a batch: what it looks up stays until the next begins.
  void beginBatch() { now_++; }

  void prefetch(uint64_t hash) const {
    const char* set = reinterpret_cast<const char*>(&sets_[setOf(hash)]);
    __builtin_prefetch(set);
    __builtin_prefetch(set + 64);
  }

  /// The record of a key: found or, with `isNew` set, to be written by the caller; nullptr if its set is all in use.
  std::byte* find(uint64_t hash, uint64_t tag, bool& isNew) {
    tag |= tag == 0;
    Set& set = sets_[setOf(hash)];
    // Without a branch a way, since which way it is cannot be foreseen.
    unsigned same = 0;
    for (int way = 0; way < ways; way++) same |= unsigned(set.tags[way] == tag) << way;
    isNew = same == 0;
    if (isNew) return take(set, tag);
    const int way = __builtin_ctz(same);
    set.usedAt[way] = now_;
    stats_.hits++;
    return records_ + set.records[way] * recordBytes_;
  }

  AdCacheStats stats() const { return stats_; }

 private:
  struct alignas(64) Set {
    uint64_t tags[ways];    // 0 marks an empty way
    uint32_t usedAt[ways];  // the batch that used it last
    uint32_t records[ways];  // in the order they were first used, so that few ads take few pages
  };
  /// The record that a new key takes the place of.
  std::byte* take(Set& set, uint64_t tag);
  /// Any number of sets, without a division.
  size_t setOf(uint64_t hash) const { return ((hash >> 32) * setCount_) >> 32; }

  size_t recordBytes_;
  size_t setCount_ = 0;  // less than 2^32
  uint32_t now_ = 0;
  Mapped setMemory_;
  Mapped recordMemory_;
  Set* sets_ = nullptr;
  std::byte* records_ = nullptr;
  AdCacheStats stats_;
};

}  // namespace limelight
