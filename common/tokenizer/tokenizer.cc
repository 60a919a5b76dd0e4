#include "common/tokenizer/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr size_t kMaxFileBytes = 64 << 20;
constexpr int32_t kMaxVocabulary = 1 << 22;

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
  TERMINUS_ASSIGN_OR_RETURN(tokenizer->normalizer_, MakeNormalizer(root.Member("normalizer")));
  const JsonNode pre_tokenizer = root.Member("pre_tokenizer");
  TERMINUS_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_, MakePreTokenizer(pre_tokenizer));
  const ByteLevelMode mode = ByteLevelModeOf(pre_tokenizer);
  tokenizer->add_prefix_space_ = mode.add_prefix_space;
  TERMINUS_ASSIGN_OR_RETURN(tokenizer->model_, MakeModel(root.Member("model"), mode.bytes));
  TERMINUS_ASSIGN_OR_RETURN(tokenizer->post_processor_,
                            MakePostProcessor(root.Member("post_processor")));
  int32_t largest_id = tokenizer->model_->largest_id();
  for (const auto* side : {&tokenizer->post_processor_.before, &tokenizer->post_processor_.after}) {
    for (const int32_t id : *side) largest_id = std::max(largest_id, id);
  }
  tokenizer->vocabulary_size_ = largest_id + 1;
  TERMINUS_RETURN_IF_ERROR(tokenizer->AddTokens(root.Member("added_tokens")));
  if (tokenizer->vocabulary_size_ > kMaxVocabulary) {
    return root.Member("model").Error(absl::StrCat("ids up to ", tokenizer->vocabulary_size_ - 1,
                                                   ", at most ", kMaxVocabulary - 1,
                                                   " are supported"));
  }
  TERMINUS_RETURN_IF_ERROR(tokenizer->ReadDecoder(root));
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxFileBytes));
  auto tokenizer = FromJson(json);
  if (!tokenizer.ok()) return base::Annotate(tokenizer.status(), path);
  return tokenizer;
}

absl::Status Tokenizer::AddTokens(const JsonNode& section) {
  if (section.IsNull()) return absl::OkStatus();
  TERMINUS_ASSIGN_OR_RETURN(const auto tokens, section.Elements());
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalised;
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
    if (const auto id = model_->IdOf(token.content); id && *id != token.id) {
      return entry.Member("id").Unexpected(
          absl::StrCat(*id, ", which the model's vocabulary gives \"", token.content, "\""));
    }
    added_ids_[token.content] = {.id = token.id, .special = special};
    if (normalized) {
      std::string form;
      normalizer_->Normalize(token.content, form);
      token.content = std::move(form);
    }
    if (token.content.empty()) {
      return entry.Member("content").Unexpected("text that is not empty once normalised");
    }
    vocabulary_size_ = std::max(vocabulary_size_, token.id + 1);
    (normalized ? normalised : raw).push_back(std::move(token));
  }
  raw_tokens_ = AddedTokens(std::move(raw));
  normalized_tokens_ = AddedTokens(std::move(normalised));
  return absl::OkStatus();
}

absl::Status Tokenizer::ReadDecoder(const JsonNode& root) {
  const JsonNode decoder = root.Member("decoder");
  const JsonNode vocabulary = root.Member("model").Member("vocab");
  if (decoder.Member("type").value() != "ByteLevel" || !vocabulary.value().is_object()) {
    return absl::OkStatus();
  }
  texts_.resize(vocabulary_size_);
  for (const auto& [token, id] : vocabulary.value().items()) {
    // One with a character that is no byte's stands for itself.
    texts_[id.get<int32_t>()] = {.bytes = BytesOfByteLevel(token).value_or(token), .known = true};
  }
  for (const auto& [token, added] : added_ids_) {
    texts_[added.id] = {
        .bytes = BytesOfByteLevel(token).value_or(token), .known = true, .special = added.special};
  }
  return absl::OkStatus();
}

absl::optional<int32_t> Tokenizer::TokenId(absl::string_view token) const {
  const auto added = added_ids_.find(token);
  return added != added_ids_.end() ? absl::make_optional(added->second.id) : model_->IdOf(token);
}

absl::Status Tokenizer::AppendBytes(int32_t id, bool skip_special_tokens,
                                    std::string& bytes) const {
  if (texts_.empty()) {
    return absl::FailedPreconditionError("this tokenizer has no byte-level decoder");
  }
  if (id < 0 || id >= vocabulary_size_ || !texts_[id].known) {
    return absl::InvalidArgumentError(
        absl::StrCat("id ", id, " is no token, expected one from 0 to ", vocabulary_size_ - 1));
  }
  if (!(skip_special_tokens && texts_[id].special)) {
    bytes += texts_[id].bytes;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Tokenizer::Decode(absl::Span<const int32_t> ids,
                                              bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids) {
    TERMINUS_RETURN_IF_ERROR(AppendBytes(id, skip_special_tokens, bytes));
  }
  std::string text;
  AppendLossyUtf8(bytes, /*more_to_come=*/false, text);
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
  std::string prefixed;
  std::vector<absl::string_view> words;
  const auto add_id = [&](int32_t id) { ids.push_back(id); };
  const auto add_words = [&](absl::string_view part) {
    words.clear();
    if (add_prefix_space_ && part[0] != ' ') {
      prefixed = absl::StrCat(" ", part);
      part = prefixed;
    }
    pre_tokenizer_->Split(part, words);
    for (const absl::string_view word : words) model_->Tokenize(word, ids);
  };
  const auto add_text = [&](absl::string_view part) {
    normalized.clear();
    normalizer_->Normalize(part, normalized);
    normalized_tokens_.Split(normalized, add_words, add_id);
  };
  raw_tokens_.Split(text, add_text, add_id);

  encoding.full_length = ids.size() + after.size();
  if (encoding.full_length > max_tokens) {
    encoding.truncated = true;
    ids.resize(max_tokens - after.size());
  }
  ids.insert(ids.end(), after.begin(), after.end());
  return encoding;
}

}  // namespace terminus::tokenizer
