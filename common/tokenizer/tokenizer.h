#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/base/byte_range.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/added_vocabulary.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/model.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/post_processor.h"
#include "common/tokenizer/pre_tokenizer.h"
#include "common/tokenizer/siglip_pipeline.h"

namespace terminus::tokenizer {

struct Encoding {
  // With the special tokens of the template around them.
  std::vector<int32_t> ids;
  // Whether tokens were dropped to stay within the limit.
  bool truncated = false;
  // Tokens that the whole text takes, special ones included. If it was cut, one more than those of
  // a text that ends in the token at the end itself.
  size_t full_length = 0;
};

struct EncodeOptions {
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  // Over so many tokens the end of the text is dropped, or its beginning where the tokenizer's
  // truncation side is left; never a special token of the template.
  size_t max_tokens = kNoLimit;
  // Whether the text gets the template's tokens around it.
  bool add_special_tokens = true;
  // Bytes that never become a special token, nor a part of one: what people wrote, in a prompt that
  // a chat template made. Ascending, apart from each other, within the text.
  absl::Span<const base::ByteRange> plain_text = {};
};

// Tokens that each text gets around it.
struct TokensAround {
  std::string before;
  std::string after;
};

// What a folder's other files say beside its tokenizer.json.
struct TokenizerOptions {
  // Whether the file's added tokens count. Where a folder's files make others, they do not.
  bool file_tokens = true;
  // Tokens that are added behind those of the file, one list after the other.
  std::vector<std::vector<TokenDescription>> more_tokens;
  // The normalised forms of added tokens are worked out again at the end.
  bool refresh_tokens = false;
  // Tokens in the place of those of the file's post-processor.
  absl::optional<TokensAround> around;
  // The side that truncation drops; the file's without one.
  absl::optional<bool> truncate_left;
  // Special tokens in a text are text.
  bool split_special_tokens = false;
  // Whether ids are turned into text: then a decoder that is not supported is an error.
  bool decodes = false;
};

// Text → token ids, as the library "tokenizers" does it with the same tokenizer.json; what is
// supported, docs/tokenizers.md says. The file's padding and the length of its truncation have no
// effect: the caller packs, and gives its limit to each call. Immutable: any thread may use it.
class Tokenizer {
 public:
  static constexpr size_t kNoLimit = EncodeOptions::kNoLimit;

  // Builds it from the text of a tokenizer.json. INVALID_ARGUMENT names the path inside the file,
  // such as "model.type", what it holds and what is supported there.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromJson(absl::string_view json);

  // The same from a document, which ParseLibraryJson should have made.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromDocument(
      const nlohmann::json& document, const TokenizerOptions& options);

  // One whose ids `pipeline` makes. `end`: the token behind each text that does not end in it. It
  // has no decoder.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> FromSiglip(
      std::unique_ptr<const SiglipPipeline> pipeline, absl::string_view end, bool truncate_left);

  // Reads a file. One of the name tokenizer.json counts together with the files beside it, as
  // LoadFolder (folder.h) reads a folder for an encoder. Errors name the file.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path);

  // Encodes one text. Special tokens that the text spells out outside `plain_text` are recognised,
  // and count as text. INVALID_ARGUMENT with the reason INVALID_UTF8 for bytes that are not UTF-8,
  // or when the limit is less than the template alone takes, or for ranges out of order, or for any
  // range where transformers works on spiece.model.
  absl::StatusOr<Encoding> Encode(absl::string_view text, const EncodeOptions& options) const;
  absl::StatusOr<Encoding> Encode(absl::string_view text, size_t max_tokens = kNoLimit) const {
    return Encode(text, {.max_tokens = max_tokens});
  }

  // Ids → text, as the library does it; U+FFFD for bytes that are not UTF-8. INVALID_ARGUMENT for
  // an id that is no token; FAILED_PRECONDITION, which says what is supported, when the file asks
  // for a decoder that is not.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const;

  // What the decoder is given for an id; nothing for a special token that is skipped. Errors as
  // Decode.
  absl::StatusOr<absl::optional<absl::string_view>> TokenText(int32_t id,
                                                              bool skip_special_tokens) const;

  // The token with this id as the file writes it; nothing for an id that is no token.
  absl::optional<absl::string_view> TokenOf(int32_t id) const;

  // Null when the file asks for one that is not supported.
  const Decoder* decoder() const { return decoder_.get(); }

  // The id of a token as the file writes it, added tokens included.
  absl::optional<int32_t> TokenId(absl::string_view token) const;

  // One more than the largest id: how many rows an embedding table must have at least.
  int32_t vocabulary_size() const { return vocabulary_size_; }

  // Whether a special token has this id.
  bool IsSpecial(int32_t id) const;

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
  // Ids in the making.
  struct Work;

  Tokenizer() = default;

  absl::Status ReadStages(const JsonNode& root, bool decodes);
  absl::Status ReadTruncation(const JsonNode& section);
  absl::Status AddTokens(const JsonNode& root, const TokenizerOptions& options);
  absl::Status SetTemplate(const TokensAround& around);
  // Fills texts_ with the model's tokens. The vocabulary is one that the model took.
  void ReadTexts(const JsonNode& vocabulary);

  // The ids of a text without the template's.
  std::vector<int32_t> EncodeText(absl::string_view text, const EncodeOptions& options) const;
  // A part of the text without raw tokens, and the plain bytes in it.
  void EncodePart(absl::string_view part, Work& work) const;
  // The same of normalised text.
  void EncodeWords(absl::string_view part, bool plain, Work& work) const;
  // A word that must not become a special token.
  void EncodePlainWord(absl::string_view word, std::vector<int32_t>& ids) const;

  std::unique_ptr<const SiglipPipeline> siglip_;  // in the place of the stages below
  AddedTokens raw_tokens_;                        // looked for in the text as it comes
  AddedTokens normalized_tokens_;                 // looked for in the normalised text
  std::unique_ptr<const Normalizer> normalizer_;
  std::unique_ptr<const PreTokenizer> pre_tokenizer_;
  std::unique_ptr<const Model> model_;
  PostProcessor post_processor_;
  bool truncate_left_ = false;
  bool split_special_tokens_ = false;
  int32_t vocabulary_size_ = 0;
  absl::flat_hash_map<std::string, int32_t> added_ids_;
  std::vector<Text> texts_;  // by id
  std::unique_ptr<const Decoder> decoder_;
  absl::Status decoder_status_;  // why there is none
};

}  // namespace terminus::tokenizer
