#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/tokenizer/charsmap.h"
#include "common/tokenizer/sentence_piece_file.h"
#include "common/tokenizer/trie.h"

namespace terminus::tokenizer {

// The library SentencePiece (0.2.3) with a unigram vocabulary: text → pieces. Scores are summed as
// float, in its order: between two ways to cut a text the last bit can decide. Immutable.
class SentencePiece {
 public:
  // INVALID_ARGUMENT names the field of the file that SentencePiece refuses as well.
  static absl::StatusOr<SentencePiece> Create(SentencePieceFile file);

  // EncodeAsPieces: the pieces of valid UTF-8. Neighbours that are unknown are one piece, which
  // stands as in the normalised text.
  std::vector<std::string> Encode(absl::string_view text) const;

  // PieceToId: the id of the unknown piece for all that are not in the vocabulary.
  int32_t IdOf(absl::string_view piece) const;

  absl::Span<const SentencePieceFile::Piece> pieces() const { return file_.pieces; }

 private:
  // The part of a text that is cut off next, and the text that stands for it.
  struct Prefix {
    size_t length = 0;
    absl::string_view form;
  };
  struct Node {
    float score = 0;
    int32_t id = -1;
    int32_t begin = -1;  // of the last piece; -1 while no way leads here
  };

  SentencePiece(SentencePieceFile file, Trie vocabulary, Trie symbols)
      : file_(std::move(file)), vocabulary_(std::move(vocabulary)), symbols_(std::move(symbols)) {}

  absl::Status ReadIds();
  Prefix NormalizePrefix(absl::string_view text) const;
  std::string Normalize(absl::string_view text) const;
  // The best way to each byte of a normalised text.
  std::vector<Node> FindWays(absl::string_view text) const;
  float ScoreOf(int32_t id, size_t length) const;

  SentencePieceFile file_;
  absl::optional<CharsmapRules> rules_;
  Trie vocabulary_;  // pieces that text is cut into
  Trie symbols_;     // those of the user, which are not normalised
  absl::flat_hash_map<std::string, int32_t> ids_;
  int32_t unknown_id_ = -1;
  float unknown_score_ = 0;
};

}  // namespace terminus::tokenizer
