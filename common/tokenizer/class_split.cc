#include "common/tokenizer/class_split.h"

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {

void ClassSplit::Split(absl::string_view text, WordList& words) const {
  const CodePointTable<uint8_t>& classes = Classes();
  std::vector<SplitPiece> pieces;
  size_t piece = 0;  // where the text between two matches begins
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    if ((classes[NextCodePoint(text, at)] & classes_) == 0) continue;
    if (piece < from) pieces.push_back({text.substr(piece, from - piece), false});
    pieces.push_back({text.substr(from, at - from), true});
    piece = at;
  }
  if (pieces.empty()) {
    words.list.push_back(text);
    return;
  }
  if (piece < text.size()) pieces.push_back({text.substr(piece), false});
  CombinePieces(pieces, behavior_, words.list);
}

void WhitespacePreTokenizer::Split(absl::string_view text, WordList& words) const {
  enum class Kind { kSpace, kWord, kOther };
  const auto kind_at = [&](size_t& at) {
    const char32_t c = NextCodePoint(text, at);
    return IsWordCharacter(c)           ? Kind::kWord
           : (ClassOf(c) & kSpace) != 0 ? Kind::kSpace
                                        : Kind::kOther;
  };
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const Kind kind = kind_at(at);
    for (size_t next = at; next < text.size() && kind_at(next) == kind;) at = next;
    if (kind != Kind::kSpace) words.list.push_back(text.substr(from, at - from));
  }
}

}  // namespace terminus::tokenizer
