#include "common/tokenizer/split_behavior.h"

#include <algorithm>
#include <cstddef>

namespace terminus::tokenizer {

void CombinePieces(const std::vector<SplitPiece>& pieces, SplitBehavior behavior,
                   std::vector<absl::string_view>& words) {
  const auto join = [](absl::string_view a, absl::string_view b) {
    return absl::string_view(a.data(), a.size() + b.size());
  };
  const size_t first = words.size();
  bool open = false;  // The last word may still grow.
  for (size_t i = 0; i < pieces.size(); ++i) {
    const SplitPiece& piece = pieces[i];
    const bool after_match = i > 0 && pieces[i - 1].is_match;
    bool grows = false;
    switch (behavior) {
      case SplitBehavior::kRemoved:
        if (piece.is_match) continue;
        break;
      case SplitBehavior::kIsolated:
        break;
      case SplitBehavior::kContiguous:
        grows = open && piece.is_match == after_match;
        break;
      case SplitBehavior::kMergedWithPrevious:
        grows = open && piece.is_match && !after_match;
        break;
      case SplitBehavior::kMergedWithNext:
        grows = open && !piece.is_match && after_match;
        break;
    }
    if (grows) {
      words.back() = join(words.back(), piece.text);
    } else {
      words.push_back(piece.text);
    }
    open = true;
  }
  // A match of nothing cuts the text and is no word.
  words.erase(std::remove_if(words.begin() + static_cast<std::ptrdiff_t>(first), words.end(),
                             [](absl::string_view word) { return word.empty(); }),
              words.end());
}

}  // namespace terminus::tokenizer
