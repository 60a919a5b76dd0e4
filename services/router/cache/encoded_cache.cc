#include "services/router/cache/encoded_cache.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace terminus::services::router::cache {
namespace {

// Of an entry beside its key and its answer: list node, map slot, control block.
constexpr int64_t kEntryOverhead = 256;

}  // namespace

EncodedCache::EncodedCache(int64_t max_bytes, metrics::Registry& registry)
    : max_bytes_(max_bytes),
      hits_(registry.AddCounter("terminus_router_encoded_cache_lookups_total",
                                "Looks into the cache of encoded contents", {{"result", "hit"}})),
      misses_(registry.AddCounter("terminus_router_encoded_cache_lookups_total",
                                  "Looks into the cache of encoded contents",
                                  {{"result", "miss"}})),
      held_bytes_(registry.AddGauge("terminus_router_encoded_cache_bytes",
                                    "Bytes that the cache of encoded contents holds")) {}

std::string EncodedCache::KeyOf(const std::string& content_hash, const std::string& space_id,
                                const v1::EncodeItem& item) {
  return absl::StrCat(content_hash, " ", space_id, " ", item.truncate(), " ", item.per_frame(), " ",
                      item.prompt_name());
}

EncodedCache::Value EncodedCache::Find(const std::string& key) {
  base::MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    misses_.Increment();
    return nullptr;
  }
  hits_.Increment();
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->value;
}

void EncodedCache::Insert(const std::string& key, Value value) {
  const int64_t bytes = static_cast<int64_t>(value->ByteSizeLong()) +
                        2 * static_cast<int64_t>(key.size()) + kEntryOverhead;
  base::MutexLock lock(mutex_);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    Erase(found->second);
  }
  if (bytes > max_bytes_) {
    return;
  }
  while (bytes_ + bytes > max_bytes_) {
    Erase(std::prev(entries_.end()));
  }
  entries_.push_front({.key = key, .value = std::move(value), .bytes = bytes});
  by_key_.emplace(key, entries_.begin());
  bytes_ += bytes;
  held_bytes_.Set(static_cast<double>(bytes_));
}

int64_t EncodedCache::bytes() const {
  base::MutexLock lock(mutex_);
  return bytes_;
}

void EncodedCache::Erase(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  held_bytes_.Set(static_cast<double>(bytes_));
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace terminus::services::router::cache
