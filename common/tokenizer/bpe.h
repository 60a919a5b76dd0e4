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
// equal ones, until no merge fits.
class Bpe : public Model {
 public:
  // `byte_level`: the vocabulary is over bytes; see byte_level.h.
  static absl::StatusOr<std::unique_ptr<const Model>> FromJson(const JsonNode& section,
                                                               bool byte_level);

  void Tokenize(absl::string_view word, std::vector<int32_t>& ids) const override;
  absl::optional<int32_t> IdOf(absl::string_view token) const override;
  int32_t largest_id() const override { return largest_id_; }

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

  // The tokens that the word begins as.
  void Begin(absl::string_view word, std::vector<int32_t>& ids) const;
  void BeginUnknown(absl::string_view character, std::vector<int32_t>& ids,
                    bool& after_unknown) const;
  // Joins neighbours of ids[from] and on.
  void MergeShort(std::vector<int32_t>& ids, size_t from) const;
  void MergeLong(std::vector<int32_t>& ids, size_t from) const;

  bool byte_level_ = false;
  bool ignore_merges_ = false;
  bool byte_fallback_ = false;
  bool fuse_unknown_ = false;
  absl::optional<int32_t> unknown_id_;
  // As the file writes them.
  absl::flat_hash_map<std::string, int32_t> vocabulary_;
  // Of a byte-level vocabulary, tokens by their bytes.
  absl::flat_hash_map<std::string, int32_t> by_bytes_;
  // The token of a byte alone, or -1: of a byte-level vocabulary, or for byte_fallback.
  std::array<int32_t, 256> byte_ids_;
  absl::flat_hash_map<uint64_t, Merge> merges_;
  int32_t largest_id_ = 0;
};

}  // namespace terminus::tokenizer
