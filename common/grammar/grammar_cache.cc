#include "common/grammar/grammar_cache.h"

#include <utility>

namespace terminus::grammar {
namespace {

// Of an entry itself, its two copies of the source left out.
constexpr int64_t kEntryBytes = 256;

int64_t BytesOf(const Source& source, const Compiled& result) {
  const auto text = static_cast<int64_t>(2 * source.text.size());
  const auto held =
      result.ok() ? (*result)->bytes() : static_cast<int64_t>(result.status().message().size());
  return kEntryBytes + text + held;
}

}  // namespace

absl::optional<Compiled> GrammarCache::Find(const Source& source) {
  const auto found = by_source_.find(source);
  if (found == by_source_.end()) {
    return absl::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->result;
}

void GrammarCache::Insert(const Source& source, const Compiled& result) {
  const int64_t bytes = BytesOf(source, result);
  if (bytes > max_bytes_ || by_source_.contains(source)) {
    return;
  }
  while (bytes_ + bytes > max_bytes_) {
    bytes_ -= entries_.back().bytes;
    by_source_.erase(entries_.back().source);
    entries_.pop_back();
  }
  entries_.push_front({.source = source, .result = result, .bytes = bytes});
  by_source_.emplace(source, entries_.begin());
  bytes_ += bytes;
}

}  // namespace terminus::grammar
