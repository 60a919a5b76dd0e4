#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "terminus/v1/encoder.pb.h"

namespace terminus::services::router::cache {

// What encoders answered, by what they were asked: encode once, answer many. Used where contents
// come again (candidates, labels, a video that is asked about twice); Embed does not use it, its
// callers have their own.
//
// Bounded by the answers' bytes; the one not used for longest goes first. Thread-safe.
class EncodedCache {
 public:
  using Value = std::shared_ptr<const v1::EncodeResult>;

  // 0 bytes: keeps nothing.
  EncodedCache(int64_t max_bytes, metrics::Registry& registry);

  // What the answer depends on, as a key: the content's hash, the space, and what was asked for.
  static std::string KeyOf(const std::string& content_hash, const std::string& space_id,
                           const v1::EncodeItem& item);

  // Null when it is not there.
  Value Find(const std::string& key);

  // An answer larger than the whole cache is not kept.
  void Insert(const std::string& key, Value value);

  int64_t bytes() const;

 private:
  struct Entry {
    std::string key;
    Value value;
    int64_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  void Erase(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t max_bytes_;
  metrics::Counter& hits_;
  metrics::Counter& misses_;
  metrics::Gauge& held_bytes_;

  mutable base::Mutex mutex_;
  // Last used first.
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Entries::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace terminus::services::router::cache
