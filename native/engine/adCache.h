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
    const Set& set = sets_[setOf(hash)];
    __builtin_prefetch(&set.halves[hash % 2]);
    if (isCrowded_) __builtin_prefetch(&set.halves[1 - hash % 2]);
  }

  /// The record of a key: found or, with `isNew` set, to be written by the caller; nullptr if its set is all in use.
  std::byte* find(uint64_t hash, uint64_t tag, bool& isNew) {
    tag |= tag == 0;
    Set& set = sets_[setOf(hash)];
    for (int i = 0; i < 2; i++) {
      Half& half = set.halves[(hash + i) % 2];
      // Without a branch a way, since which way it is cannot be foreseen.
      unsigned same = 0;
      for (int way = 0; way < ways / 2; way++) same |= unsigned(half.tags[way] == tag) << way;
      if (same == 0) continue;
      const int way = __builtin_ctz(same);
      half.usedAt[way] = now_;
      stats_.hits++;
      isNew = false;
      return records_ + half.records[way] * recordBytes_;
    }
    isNew = true;
    return take(set, hash % 2, tag);
  }

  AdCacheStats stats() const { return stats_; }

 private:
  /// Half of a set, a cache line.
  struct alignas(64) Half {
    uint64_t tags[ways / 2];    // 0 marks an empty way
    uint32_t usedAt[ways / 2];  // the batch that used it last
    uint32_t records[ways / 2];  // in the order they were first used, so that few ads take few pages
  };
  /// A key is looked for in its own half first and goes there while that has room, so that one line is read where the cache is not full.
  struct Set {
    Half halves[2];
  };
  /// The record that a new key takes the place of.
  std::byte* take(Set& set, int own, uint64_t tag);
  /// Any number of sets, without a division.
  size_t setOf(uint64_t hash) const { return ((hash >> 32) * setCount_) >> 32; }

  size_t recordBytes_;
  size_t setCount_ = 0;  // less than 2^32
  bool isCrowded_ = false;  // many keys lie in the other half
  uint32_t now_ = 0;
  Mapped setMemory_;
  Mapped recordMemory_;
  Set* sets_ = nullptr;
  std::byte* records_ = nullptr;
  AdCacheStats stats_;
};

}  // namespace limelight
