#include "common/tokenizer/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr size_t kMaxFileBytes = 64 << 20;
constexpr int32_t kMaxVocabulary = 1 << 22;

// Of added tokens; 0 without any.
absl::StatusOr<int32_t> LargestId(const JsonNode& section) {
  int32_t largest = 0;
  if (section.IsNull()) return largest;
  TERMINUS_ASSIGN_OR_RETURN(const auto tokens, section.Elements());
  for (const JsonNode& token : tokens) {
    TERMINUS_RETURN_IF_ERROR(token.ExpectObject());
    TERMINUS_ASSIGN_OR_RETURN(const int32_t id, token.Member("id").Index());
    largest = std::max(largest, id);
  }
  return largest;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::FromJson(absl::string_view json) {
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(json.begin(), json.end());
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  const JsonNode root(document);
  TERMINUS_RETURN_IF_ERROR(root.ExpectObject());
  auto tokenizer = std::unique_ptr<Tokenizer>(new Tokenizer);
  TERMINUS_RETURN_IF_ERROR(tokenizer->ReadStages(root));
  TERMINUS_RETURN_IF_ERROR(tokenizer->ReadTruncation(root.Member("truncation")));
  int32_t largest_id = tokenizer->model_->largest_id();
  for (const auto* side : {&tokenizer->post_processor_.before, &tokenizer->post_processor_.after}) {
    for (const int32_t id : *side) largest_id = std::max(largest_id, id);
  }
  const JsonNode added_tokens = root.Member("added_tokens");
  TERMINUS_ASSIGN_OR_RETURN(const int32_t largest_added, LargestId(added_tokens));
  largest_id = std::max(largest_id, largest_added);
  if (largest_id >= kMaxVocabulary) {
    return root.Member("model").Error(
        absl::StrCat("ids up to ", largest_id, ", at most ", kMaxVocabulary - 1, " are supported"));
  }
  tokenizer->vocabulary_size_ = largest_id + 1;
  const JsonNode vocabulary = root.Member("model").Member("vocab");
  tokenizer->ReadTexts(vocabulary);
  TERMINUS_RETURN_IF_ERROR(
      tokenizer->AddTokens(added_tokens, static_cast<int32_t>(vocabulary.value().size())));
  return tokenizer;
}

absl::Status Tokenizer::ReadStages(const JsonNode& root) {
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
  } else {
    decoder_status_ = absl::FailedPreconditionError(decoder.status().message());
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::ReadTruncation(const JsonNode& section) {
  if (section.IsNull()) return absl::OkStatus();
  TERMINUS_RETURN_IF_ERROR(section.ExpectObject());
  TERMINUS_ASSIGN_OR_RETURN(const std::string direction, section.StringOr("direction", "Right"));
  truncate_left_ = direction == "Left";
  return truncate_left_ || direction == "Right"
             ? absl::OkStatus()
             : section.Member("direction").Unexpected("Left or Right");
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxFileBytes));
  auto tokenizer = FromJson(json);
  if (!tokenizer.ok()) return base::Annotate(tokenizer.status(), path);
  return tokenizer;
}

absl::Status Tokenizer::ExpectLibraryId(const JsonNode& node, const AddedToken& token,
                                        int32_t& next_id) const {
  if (const auto id = model_->IdOf(token.content); id) {
    if (*id == token.id) return absl::OkStatus();
    return node.Unexpected(
        absl::StrCat(*id, ", which the model's vocabulary gives \"", token.content, "\""));
  }
  if (const auto added = added_ids_.find(token.content); added != added_ids_.end()) {
    if (added->second == token.id) return absl::OkStatus();
    return node.Unexpected(absl::StrCat(added->second, ", as for the same token before"));
  }
  if (token.id == next_id) {
    ++next_id;
    return absl::OkStatus();
  }
  return node.Unexpected(
      absl::StrCat(next_id, ", the next behind the model's vocabulary and the tokens before it"));
}

absl::Status Tokenizer::AddTokens(const JsonNode& section, int32_t next_id) {
  if (section.IsNull()) return absl::OkStatus();
  TERMINUS_ASSIGN_OR_RETURN(const auto tokens, section.Elements());
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalised;
  absl::flat_hash_set<std::string> special_tokens;
  for (const JsonNode& entry : tokens) {
    TERMINUS_RETURN_IF_ERROR(entry.ExpectObject());
    AddedToken token;
    TERMINUS_ASSIGN_OR_RETURN(token.id, entry.Member("id").Index());
    TERMINUS_ASSIGN_OR_RETURN(token.content, entry.Member("content").String());
    TERMINUS_ASSIGN_OR_RETURN(token.single_word, entry.BoolOr("single_word", false));
    TERMINUS_ASSIGN_OR_RETURN(token.lstrip, entry.BoolOr("lstrip", false));
    TERMINUS_ASSIGN_OR_RETURN(token.rstrip, entry.BoolOr("rstrip", false));
    TERMINUS_ASSIGN_OR_RETURN(const bool special, entry.BoolOr("special", false));
    TERMINUS_ASSIGN_OR_RETURN(const bool normalized, entry.BoolOr("normalized", !special));
    // The library passes over one without text.
    if (token.content.empty()) continue;
    TERMINUS_RETURN_IF_ERROR(ExpectLibraryId(entry.Member("id"), token, next_id));
    added_ids_[token.content] = token.id;
    if (special) special_tokens.insert(token.content);
    if (normalized) {
      std::string form;
      normalizer_->Normalize(token.content, form);
      token.content = std::move(form);
    }
    if (token.content.empty()) {
      return entry.Member("content").Unexpected("text that is not empty once normalised");
    }
    texts_[token.id] = {.token = token.content, .known = true};
    (normalized ? normalised : raw).push_back(std::move(token));
  }
  for (const auto& [token, id] : added_ids_) {
    texts_[id].special = special_tokens.contains(texts_[id].token);
  }
  raw_tokens_ = AddedTokens(std::move(raw));
  normalized_tokens_ = AddedTokens(std::move(normalised));
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
  const auto added = added_ids_.find(token);
  return added != added_ids_.end() ? absl::make_optional(added->second) : model_->IdOf(token);
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

absl::StatusOr<Encoding> Tokenizer::Encode(absl::string_view text, size_t max_tokens) const {
  TERMINUS_RETURN_IF_ERROR(CheckUtf8(text));
  const auto& [before, after] = post_processor_;
  if (max_tokens < template_tokens()) {
    return absl::InvalidArgumentError(absl::StrCat("limit of ", max_tokens,
                                                   " tokens: expected at least the ",
                                                   template_tokens(), " that every text gets"));
  }
  Encoding encoding;
  std::vector<int32_t>& ids = encoding.ids;
  ids.reserve(text.size() / 4 + template_tokens());  // English has about 4 bytes a token
  ids = before;

  std::string normalized;
  WordList words;
  const auto add_id = [&](int32_t id) { ids.push_back(id); };
  const auto add_words = [&](absl::string_view part) {
    pre_tokenizer_->Split(part, words);
    for (const absl::string_view word : words.list) model_->Tokenize(word, ids);
    words.Clear();
  };
  const auto add_text = [&](absl::string_view part) {
    normalized.clear();
    normalizer_->Normalize(part, normalized);
    if (part.data() == text.data()) words.beginning = normalized.data();
    normalized_tokens_.Split(normalized, add_words, add_id);
  };
  raw_tokens_.Split(text, add_text, add_id);

  encoding.full_length = ids.size() + after.size();
  if (encoding.full_length > max_tokens) {
    encoding.truncated = true;
    const size_t dropped = encoding.full_length - max_tokens;
    const auto end =
        truncate_left_ ? ids.begin() + static_cast<int64_t>(before.size() + dropped) : ids.end();
    ids.erase(end - static_cast<int64_t>(dropped), end);
  }
  ids.insert(ids.end(), after.begin(), after.end());
  return encoding;
}

}  // namespace terminus::tokenizer
