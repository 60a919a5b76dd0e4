#pragma once

#include "common/tokenizer/pre_tokenizer.h"

namespace terminus::tokenizer {

// Words are what stands between white space; each punctuation character is a word of its own.
class BertPreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, WordList& words) const override;
};

}  // namespace terminus::tokenizer
