#include "services/decoder/edge/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

namespace terminus::services::decoder::edge {

std::string StopMatcher::Push(absl::string_view piece) {
  if (matched_) {
    return "";
  }
  const size_t looked_at = held_.size();
  held_.append(piece.data(), piece.size());
  for (size_t end = looked_at + 1; end <= held_.size(); ++end) {
    if (const size_t length = MatchEndingAt(end); length > 0) {
      matched_ = true;
      std::string shown = held_.substr(0, end - length);
      held_.clear();
      return shown;
    }
  }
  size_t keep = 0;
  while (keep < held_.size() && !MayBecomeStop(keep)) {
    ++keep;
  }
  std::string shown = held_.substr(0, keep);
  held_.erase(0, keep);
  return shown;
}

std::string StopMatcher::Flush() { return std::exchange(held_, ""); }

size_t StopMatcher::MatchEndingAt(size_t end) const {
  const absl::string_view text = absl::string_view(held_).substr(0, end);
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    if (absl::EndsWith(text, stop)) {
      longest = std::max(longest, stop.size());
    }
  }
  return longest;
}

bool StopMatcher::MayBecomeStop(size_t begin) const {
  const absl::string_view rest = absl::string_view(held_).substr(begin);
  return std::any_of(stops_.begin(), stops_.end(),
                     [rest](const std::string& stop) { return absl::StartsWith(stop, rest); });
}

}  // namespace terminus::services::decoder::edge
