#pragma once

#include <vector>

#include "common/tokenizer/pre_tokenizer.h"

namespace terminus::tokenizer {

// Words are what stands between white space; each punctuation character is a word of its own.
class BertPreTokenizer : public PreTokenizer {
 public:
  void Split(absl::string_view text, std::vector<absl::string_view>& words) const override;
};

}  // namespace terminus::tokenizer
