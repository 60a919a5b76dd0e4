#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {

// Rules of SentencePiece (Kudo and Richardson, 2018), compiled into a double array: "Precompiled"
// of tokenizer.json. What they say of the beginning of a short grapheme cluster becomes of the
// whole of it; of longer ones and of others, each character is looked up.
class Charsmap : public Normalizer {
 public:
  static absl::StatusOr<std::unique_ptr<const Normalizer>> FromJson(const JsonNode& section);

  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return true; }

 private:
  Charsmap(std::vector<uint32_t> units, std::string replacements);

  // What the shortest key that `text` begins with is replaced by.
  absl::optional<absl::string_view> Find(absl::string_view text) const;

  const std::vector<uint32_t> units_;
  const std::string replacements_;  // each ends in NUL
  // Of each ASCII character beside others such; a view of itself where nothing changes.
  std::array<absl::string_view, 128> ascii_;
};

}  // namespace terminus::tokenizer
