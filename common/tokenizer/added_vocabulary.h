#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/tokenizer/model.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {

// A token to be added to a vocabulary, as files describe it.
struct TokenDescription {
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;  // found in the normalised text, in its own normalised form
  bool special = false;

  friend bool operator==(const TokenDescription&, const TokenDescription&) = default;
};

// The tokens that stand beside a model's vocabulary. Gives ids as the library does it: the model's
// own, where it has the token; else the next one behind all that there are. A token that comes
// again takes over the new properties, but once special it stays so.
class AddedVocabulary {
 public:
  // `model_tokens`: entries of the model's vocabulary. Both must outlive this.
  AddedVocabulary(const Model* model, int32_t model_tokens, const Normalizer* normalizer)
      : model_(*model), model_tokens_(model_tokens), normalizer_(*normalizer) {}

  // Adds tokens in their order; those without text are passed over. INVALID_ARGUMENT when an id
  // would be beyond the supported ones, or when a token is empty once normalised.
  absl::Status Add(absl::Span<const TokenDescription> tokens);

  // Works out the normalised forms anew, as when the library gets another normalizer.
  void Refresh();

  // The id that Add would give to the next new token.
  int32_t next_id() const;
  // The id of an added token.
  absl::optional<int32_t> IdOf(absl::string_view content) const;

  // By id.
  const std::map<int32_t, TokenDescription>& tokens() const { return tokens_; }
  // The text that stands for an added token in decoding, and that is searched for.
  const std::string& FormOf(int32_t id) const;
  bool IsSpecial(absl::string_view content) const { return special_.contains(content); }
  const absl::flat_hash_set<std::string>& special() const { return special_; }

 private:
  // Keeps the normalised form where it differs.
  void Normalize(int32_t id, const TokenDescription& token);

  const Model& model_;
  const int32_t model_tokens_;
  const Normalizer& normalizer_;
  absl::flat_hash_map<std::string, int32_t> ids_;
  std::map<int32_t, TokenDescription> tokens_;
  std::map<int32_t, std::string> forms_;
  absl::flat_hash_set<std::string> special_;
};

}  // namespace terminus::tokenizer
