#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/grammar/grammar.h"
#include "common/grammar/source.h"

namespace terminus::grammar {

// A grammar, or why there is none.
using Compiled = absl::StatusOr<std::shared_ptr<const Grammar>>;

// The results of compilations that were used last, errors too, up to a number of bytes. A grammar
// that is evicted lives on with its matchers. Not thread-safe.
class GrammarCache {
 public:
  explicit GrammarCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  absl::optional<Compiled> Find(const Source& source);
  // Evicts those that were used longest ago. What alone is larger than all is not kept.
  void Insert(const Source& source, const Compiled& result);

  int64_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Source source;
    Compiled result;
    int64_t bytes;
  };

  const int64_t max_bytes_;
  int64_t bytes_ = 0;
  std::list<Entry> entries_;  // the one used last in front
  absl::flat_hash_map<Source, std::list<Entry>::iterator> by_source_;
};

}  // namespace terminus::grammar
