#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/tokenizer/model.h"
#include "common/tokenizer/trie.h"

namespace terminus::tokenizer {

// Greedy longest-match-first of BERT (Devlin et al., 2018): the longest token that begins the
// word, then the longest that goes on with it, those with a prefix such as "##". A word with any
// part that is not in the vocabulary, or that is too long, is the unknown token as a whole.
class WordPiece : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<const Model>> FromJson(const JsonNode& section);

  void Tokenize(absl::string_view word, std::vector<int32_t>& ids) const override;
  absl::optional<int32_t> IdOf(absl::string_view token) const override;
  int32_t largest_id() const override { return largest_id_; }
  absl::optional<int32_t> unknown_id() const override { return unknown_id_; }

 private:
  explicit WordPiece(Trie vocabulary) : vocabulary_(std::move(vocabulary)) {}

  bool IsTooLong(absl::string_view word) const;

  const Trie vocabulary_;
  int32_t largest_id_ = 0;
  int32_t unknown_id_ = 0;
  // Where tokens that go on with a word begin; nothing if the vocabulary has none.
  absl::optional<Trie::Node> continuing_;
  size_t max_characters_ = 0;
};

}  // namespace terminus::tokenizer
