#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/model.h"

namespace terminus::tokenizer {

// Byte-pair encoding (Sennrich et al., 2016): a word begins as its characters, or its bytes, and of
// the neighbours that a merge joins those of the lowest rank are joined first, the leftmost of
// equal ones, until no merge fits. A suffix such as "</w>" may be part of a word's last character,
// and a prefix of all but its first.
class Bpe : public Model {
 public:
  // `byte_level`: the vocabulary is over bytes; see byte_level.h.
  static absl::StatusOr<std::unique_ptr<const Model>> FromJson(const JsonNode& section,
                                                               bool byte_level);

  void Tokenize(absl::string_view word, std::vector<int32_t>& ids) const override;
  absl::optional<int32_t> IdOf(absl::string_view token) const override;
  int32_t largest_id() const override { return largest_id_; }
  absl::optional<int32_t> unknown_id() const override { return unknown_id_; }

 private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };

  static uint64_t Pair(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }

  absl::Status ReadVocabulary(const JsonNode& section);
  absl::Status ReadMerges(const JsonNode& section);
  absl::Status AddMerge(const JsonNode& node, const std::string& left, const std::string& right,
                        int32_t rank);

  absl::Status ReadOptions(const JsonNode& section);
  // Fills what finds a character's token at each place in a word.
  void IndexCharacters();

  // The tokens that the word begins as.
  void Begin(absl::string_view word, std::vector<int32_t>& ids) const;
  // Of a character that has no token: those of its bytes. Says whether all have one.
  bool BeginBytes(absl::string_view character, std::vector<int32_t>& ids) const;
  // Joins neighbours of ids[from] and on.
  void MergeShort(std::vector<int32_t>& ids, size_t from) const;
  void MergeLong(std::vector<int32_t>& ids, size_t from) const;

  // Where a character stands in a word, a union of these.
  static constexpr int kLater = 1;  // not the first
  static constexpr int kLast = 2;
  static constexpr int kPlaces = 4;
  // As it is looked for in the vocabulary.
  std::string Written(absl::string_view character, int place) const;

  bool byte_level_ = false;
  bool ignore_merges_ = false;
  bool byte_fallback_ = false;
  bool fuse_unknown_ = false;
  std::string prefix_;  // of all characters of a word but the first
  std::string suffix_;  // of the last
  absl::optional<int32_t> unknown_id_;
  // As the file writes them.
  absl::flat_hash_map<std::string, int32_t> vocabulary_;
  // Of a byte-level vocabulary, tokens by their bytes; for ignore_merges.
  absl::flat_hash_map<std::string, int32_t> by_bytes_;
  // The token of an ASCII character, or of a byte of a byte-level vocabulary, at each place; -1 for
  // none.
  std::array<std::array<int32_t, 256>, kPlaces> byte_ids_;
  // The tokens <0x00> to <0xFF>; -1 for none.
  std::array<int32_t, 256> fallback_ids_;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  int32_t largest_id_ = 0;
};

}  // namespace terminus::tokenizer
