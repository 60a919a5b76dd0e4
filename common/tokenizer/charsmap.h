#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {

// Rules of SentencePiece (Kudo and Richardson, 2018), compiled into a double array: texts, and a
// replacement for each. Immutable.
class CharsmapRules {
 public:
  struct Match {
    size_t length = 0;  // of the text that is replaced
    absl::string_view replacement;
  };

  // From the bytes of a precompiled_charsmap. INVALID_ARGUMENT for damaged ones.
  static absl::StatusOr<CharsmapRules> FromBytes(absl::string_view bytes);

  // The replacement of the shortest rule that `text` begins with; nothing without one.
  absl::optional<absl::string_view> Shortest(absl::string_view text) const;
  // The longest rule that `text` begins with.
  absl::optional<Match> Longest(absl::string_view text) const;

 private:
  CharsmapRules(std::vector<uint32_t> units, std::string replacements)
      : units_(std::move(units)), replacements_(std::move(replacements)) {}

  // Calls `on_match(length, begin)` for each rule that `text` begins with, the shortest first,
  // until it returns false. `begin`: where the replacement stands.
  template <typename Function>
  void ForEachRule(absl::string_view text, const Function& on_match) const;
  // Nothing for a place that a damaged file names.
  absl::optional<absl::string_view> ReplacementAt(uint32_t begin) const;

  std::vector<uint32_t> units_;
  std::string replacements_;  // each ends in NUL
};

// "Precompiled" of tokenizer.json: a rule for the beginning of a short grapheme cluster replaces
// all of the cluster. In longer clusters, and in those without a rule, each character is looked up.
class Charsmap : public Normalizer {
 public:
  static absl::StatusOr<std::unique_ptr<const Normalizer>> FromJson(const JsonNode& section);

  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return true; }

 private:
  explicit Charsmap(CharsmapRules rules);

  const CharsmapRules rules_;
  // Of each ASCII character beside others such; a view of itself where nothing changes.
  std::array<absl::string_view, 128> ascii_;
};

}  // namespace terminus::tokenizer
