#include "services/text/text_frontend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/embedding_rows.h"

namespace terminus::services::text {
namespace {

constexpr char kField[] = "text";

// Tokenising one short text takes some 10 µs, less than waking a thread: only batches with more
// than kSpreadBytes are spread over the pool, and up to kLightBytes none of it is woken.
constexpr size_t kSpreadBytes = 16 << 10;
constexpr size_t kLightBytes = 1 << 10;

size_t TextBytes(const v1::EncodeBatchRequest& request) {
  size_t bytes = 0;
  for (const v1::EncodeItem& item : request.items()) {
    bytes += item.content().text().size();
  }
  return bytes;
}

}  // namespace

TextFrontend::TextFrontend(std::unique_ptr<const tokenizer::Tokenizer> tokenizer, Rules rules,
                           const config::Limits& limits)
    : tokenizer_(std::move(tokenizer)), rules_(std::move(rules)), limits_(limits) {}

absl::StatusOr<const std::string*> TextFrontend::PromptOf(const v1::EncodeItem& item) const {
  if (item.prompt_name().empty()) {
    return &rules_.default_prompt;
  }
  const auto prompt = rules_.prompts.find(item.prompt_name());
  if (prompt != rules_.prompts.end()) {
    return &prompt->second;
  }
  std::vector<std::string> names;
  for (const auto& known : rules_.prompts) {
    names.push_back(known.first);
  }
  return base::FieldError(base::kReasonUnknownPrompt, "options.prompt_name",
                          absl::StrCat("no prompt '", item.prompt_name(), "'; the model has ",
                                       names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

absl::Status TextFrontend::Tokenize(const v1::EncodeItem& item, Tokenized& out) const {
  const v1::Content& content = item.content();
  if (content.kind_case() != v1::Content::kText) {
    return base::FieldError(base::kReasonUnsupportedModality, "",
                            "the text service takes text and nothing else");
  }
  const std::string& text = content.text();
  if (static_cast<int64_t>(text.size()) > limits_.max_text_bytes) {
    return base::FieldError(base::kReasonTextTooLong, kField,
                            absl::StrCat(text.size(), " bytes, limit ", limits_.max_text_bytes));
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string* prompt, PromptOf(item));
  std::string prompted;
  const std::string* whole = &text;
  if (!prompt->empty()) {
    prompted = absl::StrCat(*prompt, text);
    whole = &prompted;
  }
  TERMINUS_ASSIGN_OR_RETURN(tokenizer::Encoding encoding,
                            tokenizer_->Encode(*whole, static_cast<size_t>(rules_.max_tokens)));
  if (encoding.ids.empty()) {
    return base::FieldError(base::kReasonEmptyItem, kField, "the text has no tokens");
  }
  if (encoding.truncated && item.truncate() == v1::TRUNCATE_NONE) {
    return base::FieldError(
        base::kReasonTextTooLong, kField,
        absl::StrCat(encoding.full_length, " tokens, limit ", rules_.max_tokens, "; the limit is ",
                     rules_.max_tokens_source, "; TRUNCATE_END would cut the text"));
  }
  if (const auto known = tokenizer::CheckRows(*tokenizer_, encoding.ids, rules_.embedding_rows);
      !known.ok()) {
    return base::FieldError(base::kReasonInvalidRequest, kField, known.message());
  }
  out.ids = std::move(encoding.ids);
  // What was cut off was not encoded and must not count into bytes per token.
  out.bytes = encoding.truncated ? 0 : whole->size();
  out.item.truncated = encoding.truncated;
  out.item.cost.set_tokens(static_cast<uint32_t>(out.ids.size()));
  return absl::OkStatus();
}

bool TextFrontend::IsLight(const v1::EncodeBatchRequest& request) const {
  return TextBytes(request) <= kLightBytes;
}

serving::Prepared<executor::TextBatch> TextFrontend::Prepare(
    const v1::EncodeBatchRequest& request, absl::Span<const absl::Status> admitted,
    base::ThreadPool& pool) const {
  const int count = request.items_size();
  std::vector<Tokenized> tokenized(static_cast<size_t>(count));
  const auto tokenize = [&](int i) {
    Tokenized& out = tokenized[static_cast<size_t>(i)];
    out.item.status = admitted[static_cast<size_t>(i)];
    if (out.item.status.ok()) {
      out.item.status = Tokenize(request.items(i), out);
    }
  };
  if (TextBytes(request) > kSpreadBytes) {
    pool.ParallelFor(count, tokenize);
  } else {
    for (int i = 0; i < count; ++i) {
      tokenize(i);
    }
  }

  serving::Prepared<executor::TextBatch> prepared;
  size_t bytes = 0;
  size_t tokens = 0;
  for (Tokenized& one : tokenized) {
    if (one.item.status.ok()) {
      if (one.bytes > 0) {
        bytes += one.bytes;
        tokens += one.ids.size();
      }
      prepared.batch.token_ids.push_back(std::move(one.ids));
    }
    prepared.items.push_back(std::move(one.item));
  }
  prepared.bytes_per_token =
      tokens == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(tokens);
  return prepared;
}

}  // namespace terminus::services::text
