#include "common/tokenizer/regex_split.h"

#include <utility>

#include "common/base/status_macros.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const PreTokenizer>> RegexSplit::Create(const std::string& pattern,
                                                                       SplitBehavior behavior,
                                                                       bool invert) {
  TERMINUS_ASSIGN_OR_RETURN(auto regex, Regex::Create(pattern));
  return std::make_unique<RegexSplit>(std::move(regex), behavior, invert);
}

void RegexSplit::Split(absl::string_view text, WordList& words) const {
  std::vector<SplitPiece> pieces;
  regex_->Find(text, pieces);
  if (invert_) {
    for (SplitPiece& piece : pieces) piece.is_match = !piece.is_match;
  }
  CombinePieces(pieces, behavior_, words.list);
}

}  // namespace terminus::tokenizer
