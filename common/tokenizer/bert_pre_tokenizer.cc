#include "common/tokenizer/bert_pre_tokenizer.h"

#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {

void BertPreTokenizer::Split(absl::string_view text, WordList& words) const {
  const CodePointTable<uint8_t>& classes = Classes();
  size_t word = 0;  // where the word in progress begins
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const uint8_t code_class = classes[NextCodePoint(text, at)];
    if ((code_class & (kSpace | kPunctuation)) == 0) continue;
    if (word < from) words.list.push_back(text.substr(word, from - word));
    if ((code_class & kPunctuation) != 0) words.list.push_back(text.substr(from, at - from));
    word = at;
  }
  if (word < text.size()) words.list.push_back(text.substr(word));
}

}  // namespace terminus::tokenizer
