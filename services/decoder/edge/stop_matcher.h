#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace terminus::services::decoder::edge {

// Looks for stop strings in a text that comes in pieces, and lets through what is certainly before
// any. However the text is cut into pieces, the outcome is the same: the match that is complete
// first counts, and of those complete at the same byte the longest. Not thread-safe.
class StopMatcher {
 public:
  // None of the strings is empty.
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Takes the next piece; returns what may be shown. After a match nothing more is let through.
  std::string Push(absl::string_view piece);
  // The text is over: what was held back, as it may have become a stop string.
  std::string Flush();

  bool matched() const { return matched_; }

 private:
  // Length of the longest stop string that ends at `end` of held_; 0 for none.
  size_t MatchEndingAt(size_t end) const;
  // Whether held_ from `begin` on is the beginning of a stop string.
  bool MayBecomeStop(size_t begin) const;

  const std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace terminus::services::decoder::edge
