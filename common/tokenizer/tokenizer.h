#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/model.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/post_processor.h"
#include "common/tokenizer/pre_tokenizer.h"

namespace terminus::tokenizer {

struct Encoding {
  // With the special tokens of the template around them.
  std::vector<int32_t> ids;
  // Whether tokens were dropped to stay within the limit.
  bool truncated = false;
  // Tokens that the whole text takes, special ones included.
  size_t full_length = 0;
};

// Text → token ids, as the library "tokenizers" does it with the same tokenizer.json; what is
// supported, docs/tokenizers.md says. The file's padding and the length of its truncation are
// ignored: the caller packs, and gives its limit to each call. Immutable: any thread may use it.
class Tokenizer {
 public:
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  // Builds it from the text of a tokenizer.json. INVALID_ARGUMENT names the path inside the file,
  // such as "model.type", what it holds and what is supported there.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromJson(absl::string_view json);

  // Reads a file. Errors name it.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path);

  // Encodes one text. Over `max_tokens` the end of the text is dropped, or its beginning where the
  // file's truncation has the direction Left, never a special token of the template; special tokens
  // that the text itself spells out are recognised, and count as text. INVALID_ARGUMENT with the
  // reason INVALID_UTF8 for bytes that are not UTF-8, or when `max_tokens` is less than the
  // template alone takes.
  absl::StatusOr<Encoding> Encode(absl::string_view text, size_t max_tokens = kNoLimit) const;

  // Ids → text, as the library does it; U+FFFD for bytes that are not UTF-8. INVALID_ARGUMENT for
  // an id that is no token; FAILED_PRECONDITION, which says what is supported, when the file asks
  // for a decoder that is not.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const;

  // What the decoder is given for an id; nothing for a special token that is skipped. Errors as
  // Decode.
  absl::StatusOr<absl::optional<absl::string_view>> TokenText(int32_t id,
                                                              bool skip_special_tokens) const;

  // Null when the file asks for one that is not supported.
  const Decoder* decoder() const { return decoder_.get(); }

  // The id of a token as the file writes it, added tokens included.
  absl::optional<int32_t> TokenId(absl::string_view token) const;

  // One more than the largest id: how many rows an embedding table must have at least.
  int32_t vocabulary_size() const { return vocabulary_size_; }

  // Tokens that the template adds to each text.
  size_t template_tokens() const { return post_processor_.added(); }
  // Of these, the ones in front of it.
  size_t template_tokens_before() const { return post_processor_.before.size(); }

 private:
  // What an id stands for when it is decoded.
  struct Text {
    std::string token;
    bool known = false;
    bool special = false;
  };

  Tokenizer() = default;

  absl::Status ReadStages(const JsonNode& root);
  absl::Status ReadTruncation(const JsonNode& section);
  // `next_id`: of the first token that the model does not know, the next one for each further.
  absl::Status AddTokens(const JsonNode& section, int32_t next_id);
  // That the library would give an added token the id that the file gives it.
  absl::Status ExpectLibraryId(const JsonNode& node, const AddedToken& token,
                               int32_t& next_id) const;
  // Fills texts_ with the model's tokens. The vocabulary is one that the model took.
  void ReadTexts(const JsonNode& vocabulary);

  AddedTokens raw_tokens_;         // looked for in the text as it comes
  AddedTokens normalized_tokens_;  // looked for in the normalised text
  std::unique_ptr<const Normalizer> normalizer_;
  std::unique_ptr<const PreTokenizer> pre_tokenizer_;
  std::unique_ptr<const Model> model_;
  PostProcessor post_processor_;
  bool truncate_left_ = false;
  int32_t vocabulary_size_ = 0;
  absl::flat_hash_map<std::string, int32_t> added_ids_;
  std::vector<Text> texts_;  // by id
  std::unique_ptr<const Decoder> decoder_;
  absl::Status decoder_status_;  // why there is none
};

}  // namespace terminus::tokenizer
