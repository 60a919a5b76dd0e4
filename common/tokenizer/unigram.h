#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/model.h"
#include "common/tokenizer/trie.h"

namespace terminus::tokenizer {

// The unigram language model of SentencePiece (Kudo, 2018): of all the ways to cut a word into
// tokens the one with the largest sum of scores, found by Viterbi's algorithm; of equal ones the
// one whose last token is longest. A character that no token of its own length stands for may be
// unknown, at less than the least score; neighbours that are unknown are one.
class Unigram : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<const Model>> FromJson(const JsonNode& section);

  void Tokenize(absl::string_view word, std::vector<int32_t>& ids) const override;
  absl::optional<int32_t> IdOf(absl::string_view token) const override;
  int32_t largest_id() const override { return static_cast<int32_t>(scores_.size()) - 1; }
  absl::optional<int32_t> unknown_id() const override { return unknown_id_; }

 private:
  Unigram(Trie vocabulary, std::vector<double> scores)
      : vocabulary_(std::move(vocabulary)), scores_(std::move(scores)) {}

  // The ids of a part that is unknown.
  void AppendUnknown(absl::string_view part, std::vector<int32_t>& ids) const;

  const Trie vocabulary_;
  const std::vector<double> scores_;  // by id
  int32_t unknown_id_ = 0;
  double unknown_score_ = 0;
  bool byte_fallback_ = false;
  // The tokens <0x00> to <0xFF>; -1 for none.
  std::array<int32_t, 256> byte_ids_;
};

}  // namespace terminus::tokenizer
