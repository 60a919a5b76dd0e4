#include "common/tokenizer/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/library_json.h"
#include "common/tokenizer/limits.h"

namespace terminus::tokenizer {
namespace {

absl::StatusOr<TokenDescription> ReadToken(const JsonNode& entry) {
  TERMINUS_RETURN_IF_ERROR(entry.CheckKeys("added_tokens"));
  TokenDescription token;
  TERMINUS_ASSIGN_OR_RETURN(token.content, entry.Member("content").String());
  TERMINUS_ASSIGN_OR_RETURN(token.single_word, entry.BoolOr("single_word", false));
  TERMINUS_ASSIGN_OR_RETURN(token.lstrip, entry.BoolOr("lstrip", false));
  TERMINUS_ASSIGN_OR_RETURN(token.rstrip, entry.BoolOr("rstrip", false));
  TERMINUS_ASSIGN_OR_RETURN(token.special, entry.BoolOr("special", false));
  TERMINUS_ASSIGN_OR_RETURN(token.normalized, entry.BoolOr("normalized", !token.special));
  return token;
}

// The library passes over the ids that a file gives to its added tokens, and gives its own. A file
// with others would not mean what it says.
absl::Status ExpectLibraryId(const JsonNode& node, const TokenDescription& token,
                             const Model& model, const AddedVocabulary& added) {
  TERMINUS_ASSIGN_OR_RETURN(const int32_t id, node.Index());
  const absl::optional<int32_t> given = added.IdOf(token.content);
  if (id == *given) return absl::OkStatus();
  return node.Unexpected(
      model.IdOf(token.content)
          ? absl::StrCat(*given, ", which the model's vocabulary gives \"", token.content, "\"")
          : absl::StrCat(*given,
                         ", the next behind the model's vocabulary and the tokens before it"));
}

absl::Status AddFileTokens(const JsonNode& section, const Model& model, AddedVocabulary& added) {
  if (section.IsNull()) return absl::OkStatus();
  TERMINUS_ASSIGN_OR_RETURN(const auto entries, section.Elements());
  for (const JsonNode& entry : entries) {
    TERMINUS_ASSIGN_OR_RETURN(const TokenDescription token, ReadToken(entry));
    if (token.content.empty()) continue;
    if (const absl::Status status = added.Add({token}); !status.ok()) {
      return entry.Error(status.message());
    }
    TERMINUS_RETURN_IF_ERROR(ExpectLibraryId(entry.Member("id"), token, model, added));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromJson(absl::string_view json) {
  TERMINUS_ASSIGN_OR_RETURN(const nlohmann::json document, ParseLibraryJson(json));
  return FromDocument(document, {});
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromDocument(
    const nlohmann::json& document, const TokenizerOptions& options) {
  const JsonNode root(document);
  TERMINUS_RETURN_IF_ERROR(root.CheckKeys("root"));
  auto tokenizer = std::unique_ptr<Tokenizer>(new Tokenizer);
  TERMINUS_RETURN_IF_ERROR(tokenizer->ReadStages(root, options.decodes));
  TERMINUS_RETURN_IF_ERROR(tokenizer->ReadTruncation(root.Member("truncation")));
  if (const JsonNode padding = root.Member("padding"); !padding.IsNull()) {
    TERMINUS_RETURN_IF_ERROR(padding.CheckKeys("padding"));
  }
  if (options.truncate_left) tokenizer->truncate_left_ = *options.truncate_left;
  tokenizer->split_special_tokens_ = options.split_special_tokens;
  int32_t largest_id = tokenizer->model_->largest_id();
  for (const auto* side : {&tokenizer->post_processor_.before, &tokenizer->post_processor_.after}) {
    for (const int32_t id : *side) largest_id = std::max(largest_id, id);
  }
  if (largest_id >= kMaxVocabulary) {
    return root.Member("model").Error(
        absl::StrCat("ids up to ", largest_id, ", at most ", kMaxVocabulary - 1, " are supported"));
  }
  tokenizer->vocabulary_size_ = largest_id + 1;
  tokenizer->ReadTexts(root.Member("model").Member("vocab"));
  TERMINUS_RETURN_IF_ERROR(tokenizer->AddTokens(root, options));
  if (options.around) TERMINUS_RETURN_IF_ERROR(tokenizer->SetTemplate(*options.around));
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromSiglip(
    std::unique_ptr<const SiglipPipeline> pipeline, absl::string_view end, bool truncate_left) {
  const absl::optional<int32_t> end_id = pipeline->IdOf(end);
  if (!end_id) {
    return absl::InvalidArgumentError(absl::StrCat("no token \"", end, "\" to put behind texts"));
  }
  auto tokenizer = std::unique_ptr<Tokenizer>(new Tokenizer);
  tokenizer->post_processor_ = {.before = {}, .after = {*end_id}, .once = true};
  tokenizer->truncate_left_ = truncate_left;
  tokenizer->decoder_status_ =
      absl::FailedPreconditionError("SiglipTokenizer is supported for encoders only");
  for (const std::string& token : pipeline->Tokens()) {
    tokenizer->texts_.push_back(
        {.token = token, .known = !token.empty(), .special = pipeline->IsSpecial(token)});
  }
  tokenizer->vocabulary_size_ = static_cast<int32_t>(tokenizer->texts_.size());
  tokenizer->siglip_ = std::move(pipeline);
  return tokenizer;
}

absl::Status Tokenizer::ReadStages(const JsonNode& root, bool decodes) {
  TERMINUS_ASSIGN_OR_RETURN(normalizer_, MakeNormalizer(root.Member("normalizer")));
  const JsonNode section = root.Member("pre_tokenizer");
  TERMINUS_ASSIGN_OR_RETURN(pre_tokenizer_, MakePreTokenizer(section));
  const PreTokenizerTraits traits = TraitsOf(section);
  const bool knows_beginning = traits.marks_beginning_late ? root.Member("normalizer").IsNull()
                                                           : normalizer_->KeepsBeginning();
  if (traits.marks_beginning && !knows_beginning) {
    return section.Error(
        "prepend_scheme first is not supported behind a normalizer that may drop what the text "
        "begins with, nor behind both a normalizer and other pre-tokenizers");
  }
  TERMINUS_ASSIGN_OR_RETURN(model_, MakeModel(root.Member("model"), traits.bytes));
  TERMINUS_ASSIGN_OR_RETURN(post_processor_, MakePostProcessor(root.Member("post_processor")));
  // Encoders have no use for a decoder: whether it is supported counts once it is asked for.
  auto decoder = Decoder::FromJson(root.Member("decoder"));
  if (decoder.ok()) {
    decoder_ = *std::move(decoder);
  } else if (decodes) {
    return decoder.status();
  } else {
    decoder_status_ = absl::FailedPreconditionError(decoder.status().message());
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::ReadTruncation(const JsonNode& section) {
  if (section.IsNull()) return absl::OkStatus();
  TERMINUS_RETURN_IF_ERROR(section.CheckKeys("truncation"));
  TERMINUS_ASSIGN_OR_RETURN(const std::string direction, section.StringOr("direction", "Right"));
  truncate_left_ = direction == "Left";
  return truncate_left_ || direction == "Right"
             ? absl::OkStatus()
             : section.Member("direction").Unexpected("Left or Right");
}

absl::Status Tokenizer::AddTokens(const JsonNode& root, const TokenizerOptions& options) {
  const auto model_tokens =
      static_cast<int32_t>(root.Member("model").Member("vocab").value().size());
  AddedVocabulary added(model_.get(), model_tokens, normalizer_.get());
  if (options.file_tokens) {
    TERMINUS_RETURN_IF_ERROR(AddFileTokens(root.Member("added_tokens"), *model_, added));
  }
  for (const auto& tokens : options.more_tokens) TERMINUS_RETURN_IF_ERROR(added.Add(tokens));
  if (options.refresh_tokens) added.Refresh();

  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalised;
  for (const auto& [id, token] : added.tokens()) {
    (token.normalized ? normalised : raw)
        .push_back({.id = id,
                    .content = token.normalized ? added.FormOf(id) : token.content,
                    .single_word = token.single_word,
                    .lstrip = token.lstrip,
                    .rstrip = token.rstrip,
                    .special = added.IsSpecial(token.content)});
    added_ids_[token.content] = id;
    vocabulary_size_ = std::max(vocabulary_size_, id + 1);
    if (texts_.size() <= static_cast<size_t>(id)) texts_.resize(id + 1);
    texts_[id] = {.token = added.FormOf(id), .known = true};
  }
  texts_.resize(vocabulary_size_);
  if (!added.special().empty()) {
    for (Text& text : texts_) text.special = added.IsSpecial(text.token);
  }
  raw_tokens_ = AddedTokens(std::move(raw));
  normalized_tokens_ = AddedTokens(std::move(normalised));
  return absl::OkStatus();
}

absl::Status Tokenizer::SetTemplate(const TokensAround& around) {
  post_processor_ = {};
  for (const auto& [token, side] : {std::make_pair(&around.before, &post_processor_.before),
                                    std::make_pair(&around.after, &post_processor_.after)}) {
    const absl::optional<int32_t> id = TokenId(*token);
    if (!id) {
      return absl::InvalidArgumentError(
          absl::StrCat("no token \"", *token, "\" to put around texts"));
    }
    side->push_back(*id);
  }
  return absl::OkStatus();
}

void Tokenizer::ReadTexts(const JsonNode& vocabulary) {
  texts_.resize(vocabulary_size_);
  if (vocabulary.value().is_array()) {
    size_t id = 0;
    for (const nlohmann::json& pair : vocabulary.value()) {
      texts_[id++] = {.token = pair[0].get<std::string>(), .known = true};
    }
    return;
  }
  for (const auto& [token, id] : vocabulary.value().items()) {
    texts_[id.get<int32_t>()] = {.token = token, .known = true};
  }
}

absl::optional<int32_t> Tokenizer::TokenId(absl::string_view token) const {
  if (siglip_ != nullptr) return siglip_->IdOf(token);
  const auto added = added_ids_.find(token);
  return added != added_ids_.end() ? absl::make_optional(added->second) : model_->IdOf(token);
}

absl::optional<absl::string_view> Tokenizer::TokenOf(int32_t id) const {
  if (id < 0 || id >= vocabulary_size_ || !texts_[id].known) return absl::nullopt;
  return texts_[id].token;
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && id < vocabulary_size_ && texts_[id].special;
}

absl::StatusOr<absl::optional<absl::string_view>> Tokenizer::TokenText(
    int32_t id, bool skip_special_tokens) const {
  TERMINUS_RETURN_IF_ERROR(decoder_status_);
  if (id < 0 || id >= vocabulary_size_ || !texts_[id].known) {
    return absl::InvalidArgumentError(
        absl::StrCat("id ", id, " is no token, expected one from 0 to ", vocabulary_size_ - 1));
  }
  absl::optional<absl::string_view> text;
  if (!(skip_special_tokens && texts_[id].special)) text = texts_[id].token;
  return text;
}

absl::StatusOr<std::string> Tokenizer::Decode(absl::Span<const int32_t> ids,
                                              bool skip_special_tokens) const {
  TERMINUS_RETURN_IF_ERROR(decoder_status_);
  std::string text;
  Decoder::Stream stream(decoder_.get(), /*whole=*/true);
  for (const int32_t id : ids) {
    TERMINUS_ASSIGN_OR_RETURN(const auto token, TokenText(id, skip_special_tokens));
    if (token) stream.Push(*token, text);
  }
  stream.Flush(text);
  return text;
}

}  // namespace terminus::tokenizer
