#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/split_behavior.h"

namespace terminus::tokenizer {

// Cuts text where a regular expression matches: "Split" of tokenizer.json. Immutable.
class RegexSplit : public PreTokenizer {
 public:
  // `pattern` is in Oniguruma's Ruby syntax, as far as PCRE2 has the same. `invert`: the pattern
  // describes the words, what lies between them is the delimiter. INVALID_ARGUMENT when the pattern
  // cannot be compiled.
  static absl::StatusOr<std::unique_ptr<const PreTokenizer>> Create(const std::string& pattern,
                                                                    SplitBehavior behavior,
                                                                    bool invert);
  ~RegexSplit() override;

  // Where matching takes more steps than are allowed, the rest of the text is one word.
  void Split(absl::string_view text, std::vector<absl::string_view>& words) const override;

 private:
  struct Code;
  RegexSplit(std::unique_ptr<const Code> code, SplitBehavior behavior, bool invert);

  const std::unique_ptr<const Code> code_;
  const SplitBehavior behavior_;
  const bool invert_;
};

}  // namespace terminus::tokenizer
