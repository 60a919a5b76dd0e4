#pragma once

#include <vector>

#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// What becomes of the text that a splitter's pattern matches.
enum class SplitBehavior {
  kRemoved,
  kIsolated,            // A word of its own.
  kMergedWithPrevious,  // The end of the word before it.
  kMergedWithNext,      // The beginning of the word behind it.
  kContiguous,          // As kIsolated, neighbours as one.
};

// A part of a text: either what the pattern matches, possibly nothing, or what lies between two
// matches, which is not empty.
struct SplitPiece {
  absl::string_view text;
  bool is_match;
};

// Appends the words, none empty, that the pieces of a text, in order and without gaps, make.
void CombinePieces(const std::vector<SplitPiece>& pieces, SplitBehavior behavior,
                   std::vector<absl::string_view>& words);

}  // namespace terminus::tokenizer
