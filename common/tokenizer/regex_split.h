#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/regex.h"
#include "common/tokenizer/split_behavior.h"

namespace terminus::tokenizer {

// Cuts text where a regular expression matches: "Split" of tokenizer.json. Immutable.
class RegexSplit : public PreTokenizer {
 public:
  // `invert`: the pattern describes the words, what lies between them is the delimiter. Errors as
  // Regex::Create.
  static absl::StatusOr<std::unique_ptr<const PreTokenizer>> Create(const std::string& pattern,
                                                                    SplitBehavior behavior,
                                                                    bool invert);
  RegexSplit(std::unique_ptr<const Regex> regex, SplitBehavior behavior, bool invert)
      : regex_(std::move(regex)), behavior_(behavior), invert_(invert) {}

  void Split(absl::string_view text, WordList& words) const override;

 private:
  const std::unique_ptr<const Regex> regex_;
  const SplitBehavior behavior_;
  const bool invert_;
};

}  // namespace terminus::tokenizer
