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

/// Records of what depends on an ad (or creative) alone, found by a 64-bit tag, one hash of all the ids and numbers it is made of, in a set that another hash names: an ad
/// whose fields change is another key, so nothing here can be stale. A key has two sets of eight to lie in, the second used where
/// the first is full; the least recently used of both goes first, and never one that the batch at hand uses.
class AdCache {
 public:
  static constexpr int ways = 8;
  /// Of records: half a cache line, so that those that lie beside each other share lines, and a vector of bf16 numbers lies in one.
  static constexpr size_t alignment = 32;

  /// A budget too small for a set holds nothing.
  /// @param isChained whether `findNext` is called
  AdCache(size_t recordBytes, size_t budgetBytes, bool isChained);

  bool holdsAny() const { return setCount_ > 0; }

  /// Begins a batch: what it looks up stays until the next begins.
  void beginBatch();

  /// Memory that a lookup reads.
  struct Lines {
    const void* at;
    size_t bytes;
  };

  /// Where a key is looked for first.
  Lines setLines(uint64_t hash) const {
    const Set& set = sets_[setOf(hash)];
    return isCrowded_ ? Lines{&set, sizeof(Set)} : Lines{&set.halves[hash % 2], sizeof(Half)};
  }

  /// A record by its number.
  using Record = uint32_t;
  static constexpr Record none = UINT32_MAX;
  std::byte* at(Record record) const { return record == none ? nullptr : records_ + record * recordBytes_; }

  /// The record of a key, if there is one.
  Record recordOf(uint64_t hash, uint64_t tag) const {
    const Place place = placeOf(hash, tag | (tag == 0));
    return place.half == nullptr ? none : place.half->records[place.way];
  }

  /// The record of a key: found or, with `isNew` set, to be written by the caller; `none` if its sets are all in use.
  Record find(uint64_t hash, uint64_t tag, bool& isNew) {
    tag |= tag == 0;
    const Place place = placeOf(hash, tag);
    isNew = place.half == nullptr;
    if (isNew) return take(hash, tag);
    place.half->usedAt[place.way] = now_;
    stats_.hits++;
    return place.half->records[place.way];
  }

  // The rest for keys that come one after the other again and again, as creatives of an ad do: each record knows the one that came
  // after it the last time, so that one set is read for all of them.

  /// What `findNext` reads of keys that follow a record, if theirs lie after it.
  Lines linkLines(Record record, int count) const { return {links_ + record, count * sizeof(Link)}; }

  /// The same of those after the next, which need not lie beside the record.
  Lines nextLinkLines(Record record, int count) const { return linkLines(links_[record].next, count - 1); }

  /// As `find`. @param guess a record that may be the key's
  Record find(uint64_t hash, uint64_t tag, Record guess, bool& isNew) {
    return guess != none && isOf(guess, tag) ? use(guess, isNew) : find(hash, tag, isNew);
  }

  /// As `find`. @param last the record of the key before, or none
  Record findNext(uint64_t hash, uint64_t tag, Record last, bool& isNew) {
    if (last == none) return find(hash, tag, isNew);
    const Record next = links_[last].next;
    if (isOf(next, tag)) {
      followed_++;
      return use(next, isNew);
    }
    strayed_++;
    const Record record = find(hash, tag, isNew);
    if (record != none) links_[last].next = record;
    return record;
  }

  /// Whether `findNext` mostly finds keys after the one before, so that their own sets need not be asked for.
  bool isFollowed() const { return isFollowed_; }

  AdCacheStats stats() const { return stats_; }

 private:
  /// Half of a set, a cache line. Ways are filled in order and never emptied.
  struct alignas(64) Half {
    uint64_t tags[ways / 2];     // 0 marks an empty way
    uint32_t usedAt[ways / 2];   // the batch that found it here last
    Record records[ways / 2];    // in the order they were first used, so that few ads take few pages
    bool isFull() const { return tags[ways / 2 - 1] != 0; }
  };
  /// A key is looked for in its own half first and goes there while that has room, so that one line is read where the cache is not full.
  struct Set {
    Half halves[2];
    bool isFull() const { return halves[0].isFull() && halves[1].isFull(); }
  };
  struct Place {
    Half* half;
    int way;
  };
  /// Of a record in a chain.
  struct Link {
    uint64_t tag;     // of its key
    uint32_t usedAt;  // the batch that found it last without its set
    Record next;      // what was found after it
  };

  Place placeIn(Set& set, int own, uint64_t tag) const {
    for (int i = 0; i < 2; i++) {
      Half& half = set.halves[(own + i) % 2];
      // Without a branch a way, since which way it is cannot be foreseen.
      unsigned same = 0;
      for (int way = 0; way < ways / 2; way++) same |= unsigned(half.tags[way] == tag) << way;
      if (same != 0) return {&half, __builtin_ctz(same)};
    }
    return {nullptr, 0};
  }

  Place placeOf(uint64_t hash, uint64_t tag) const {
    Set& set = sets_[setOf(hash)];
    const Place place = placeIn(set, hash % 2, tag);
    return place.half != nullptr || !set.isFull() ? place : placeIn(sets_[setOf(tag)], tag % 2, tag);
  }

  bool isOf(Record record, uint64_t tag) const { return links_[record].tag == (tag | (tag == 0)); }

  Record use(Record record, bool& isNew) {
    links_[record].usedAt = now_;
    stats_.hits++;
    isNew = false;
    return record;
  }

  /// The record that a new key takes the place of.
  Record take(uint64_t hash, uint64_t tag);
  uint32_t ageOf(const Place& place) const;
  /// Any number of sets, without a division.
  size_t setOf(uint64_t hash) const { return ((hash >> 32) * setCount_) >> 32; }

  size_t recordBytes_;
  size_t setCount_ = 0;  // less than 2^32
  bool isCrowded_ = false;  // many keys lie in the other half
  bool isFollowed_ = false;
  uint32_t now_ = 0;
  uint32_t followed_ = 0, strayed_ = 0;  // keys that came after the one before as the last time, and that did not
  Mapped setMemory_;
  Mapped recordMemory_;
  Mapped linkMemory_;
  Set* sets_ = nullptr;
  std::byte* records_ = nullptr;
  Link* links_ = nullptr;  // [records], if chained
  AdCacheStats stats_;
};

}  // namespace limelight
