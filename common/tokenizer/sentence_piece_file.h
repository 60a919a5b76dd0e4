#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// A vocabulary file of SentencePiece, such as spiece.model: what its sentencepiece_model.proto
// calls ModelProto, as far as it decides how a text is cut.
struct SentencePieceFile {
  enum class Type { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  struct Piece {
    std::string text;
    float score = 0;
    Type type = Type::kNormal;
  };

  std::vector<Piece> pieces;  // by id
  std::string charsmap;       // normalizer_spec.precompiled_charsmap; empty without rules
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool byte_fallback = false;
};

// INVALID_ARGUMENT names the field that is damaged or not supported: only vocabularies of the type
// UNIGRAM that mark blanks in front of words are.
absl::StatusOr<SentencePieceFile> ParseSentencePieceFile(absl::string_view bytes);

}  // namespace terminus::tokenizer
