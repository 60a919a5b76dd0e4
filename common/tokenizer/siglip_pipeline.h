#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/added_vocabulary.h"
#include "common/tokenizer/python_token_trie.h"
#include "common/tokenizer/sentence_piece.h"

namespace terminus::tokenizer {

// The settings of SiglipTokenizer of transformers that a folder's files can change.
struct SiglipOptions {
  bool do_lower_case = true;
  // Whether the vocabulary's own dummy prefix counts.
  bool legacy = true;
  // Whether special tokens in a text are text.
  bool split_special_tokens = false;
  std::string unk_token;
  // Added tokens by the id that a file gives.
  std::map<int64_t, TokenDescription> added;
  // Contents of the special tokens: those with names first, in the order of transformers.
  std::vector<std::string> special;
};

// Text → token ids, as SiglipTokenizer of transformers does it on spiece.model. The class is
// written in Python: tokenizer.json has no effect on the ids. Immutable.
class SiglipPipeline {
 public:
  // `file`: the bytes of spiece.model. INVALID_ARGUMENT names its field, or the token.
  static absl::StatusOr<std::unique_ptr<const SiglipPipeline>> Create(absl::string_view file,
                                                                      SiglipOptions options);

  // Appends the ids of valid UTF-8, without the token that each text ends in.
  void Encode(absl::string_view text, std::vector<int32_t>& ids) const;

  // The id of a token: an added one, or a piece of the vocabulary; nothing for others.
  absl::optional<int32_t> IdOf(absl::string_view token) const;

  // Every token by its id; an empty one where there is none.
  std::vector<std::string> Tokens() const;

  bool IsSpecial(absl::string_view token) const { return special_.contains(token); }

 private:
  SiglipPipeline(SentencePiece pieces, SiglipOptions options)
      : pieces_(std::move(pieces)), options_(std::move(options)) {}

  // Adds the special tokens that no file gives an id.
  absl::Status AddSpecial();
  // Pieces of text that is no added token.
  std::vector<std::string> EncodePart(absl::string_view text) const;
  // Takes white space off the neighbours of added tokens, and joins those that must stand alone.
  void ApplyProperties(std::vector<std::string>& parts) const;
  std::vector<std::string> Tokenize(const std::string& text) const;

  const SentencePiece pieces_;
  SiglipOptions options_;
  absl::flat_hash_map<std::string, int64_t> ids_;  // of added tokens
  absl::flat_hash_set<std::string> special_;
  std::unique_ptr<const PythonTokenTrie> trie_;
  size_t unknown_pieces_ = 0;  // that unk_token is cut into
};

}  // namespace terminus::tokenizer
