#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/split_behavior.h"

namespace terminus::tokenizer {

// A regular expression as tokenizer.json writes it: in Oniguruma's Ruby syntax, as far as PCRE2 has
// the same. Immutable: any thread may use it.
class Regex {
 public:
  // INVALID_ARGUMENT when the pattern cannot be compiled, or has what means something else there.
  static absl::StatusOr<std::unique_ptr<const Regex>> Create(absl::string_view pattern);
  ~Regex();

  // Appends the parts of a text, its matches and what lies between them. A match may be empty, but
  // does not directly follow another then. Where matching takes more steps than are allowed, the
  // rest of the text is one part.
  void Find(absl::string_view text, std::vector<SplitPiece>& pieces) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<const Code> code);

  const std::unique_ptr<const Code> code_;
};

}  // namespace terminus::tokenizer
