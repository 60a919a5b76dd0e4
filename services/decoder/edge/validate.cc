#include "services/decoder/edge/validate.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"
#include "services/decoder/edge/check_sampling.h"

namespace terminus::services::decoder::edge {
namespace {

// More than any context holds.
constexpr auto kMostTokens = static_cast<uint32_t>(std::numeric_limits<int32_t>::max());

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return base::FieldError(base::kReasonInvalidRequest, field, message);
}

absl::StatusOr<std::string> RoleName(v1::Role role, const std::string& field) {
  switch (role) {
    case v1::ROLE_SYSTEM:
      return std::string("system");
    case v1::ROLE_USER:
      return std::string("user");
    case v1::ROLE_ASSISTANT:
      return std::string("assistant");
    case v1::ROLE_UNSPECIFIED:
      return Invalid(field, "the role is unspecified");
    default:
      return Invalid(field, absl::StrCat("unknown role ", static_cast<int>(role)));
  }
}

absl::Status CheckPart(const v1::Content& part, const std::string& field) {
  if (part.kind_case() == v1::Content::KIND_NOT_SET) {
    return base::FieldError(base::kReasonEmptyItem, field, "the part holds nothing");
  }
  if (part.kind_case() != v1::Content::kText) {
    return base::FieldError(base::kReasonUnsupportedModality, field,
                            "the served language model takes text only");
  }
  const std::string text_field = field + ".text";
  if (part.text().empty()) {
    return base::FieldError(base::kReasonEmptyItem, text_field, "the text is empty");
  }
  if (const absl::Status utf8 = tokenizer::CheckUtf8(part.text()); !utf8.ok()) {
    return base::FieldError(base::kReasonInvalidUtf8, text_field, utf8.message());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ChatMessage>> CheckMessages(const v1::GenerateRequest& request,
                                                       int64_t max_text_bytes) {
  if (request.messages().empty()) {
    return Invalid("messages", "there are no messages");
  }
  if (request.messages_size() > kMaxMessages) {
    return Invalid("messages", absl::StrCat(request.messages_size(), " messages, at most ",
                                            kMaxMessages, " are taken"));
  }
  std::vector<ChatMessage> messages;
  int64_t bytes = 0;
  for (int i = 0; i < request.messages_size(); ++i) {
    const v1::Message& message = request.messages(i);
    const std::string field = absl::StrCat("messages[", i, "]");
    ChatMessage& chat = messages.emplace_back();
    TERMINUS_ASSIGN_OR_RETURN(chat.role, RoleName(message.role(), field + ".role"));
    if (message.parts().empty() || message.parts_size() > kMaxParts) {
      return Invalid(field + ".parts",
                     absl::StrCat(message.parts_size(), " parts, expected 1 to ", kMaxParts));
    }
    for (int j = 0; j < message.parts_size(); ++j) {
      const v1::Content& part = message.parts(j);
      TERMINUS_RETURN_IF_ERROR(CheckPart(part, absl::StrCat(field, ".parts[", j, "]")));
      bytes += static_cast<int64_t>(part.text().size());
      if (bytes > max_text_bytes) {
        return base::FieldError(base::kReasonTextTooLong, "messages",
                                absl::StrCat("the messages have more than ", max_text_bytes,
                                             " bytes of text, the limit"));
      }
      chat.parts.push_back(part.text());
    }
  }
  return messages;
}

// What the answer has to be; nothing where it may be anything.
absl::StatusOr<absl::optional<grammar::Source>> FormatOf(const v1::GenerateRequest& request) {
  absl::optional<grammar::Source> source;
  absl::string_view field;
  switch (request.output_format_case()) {
    case v1::GenerateRequest::kJsonSchema:
      field = "json_schema";
      source = {grammar::Source::Kind::kJsonSchema, request.json_schema()};
      break;
    case v1::GenerateRequest::kJsonObject:
      field = "json_object";
      source = {grammar::Source::Kind::kJsonObject, ""};
      if (!request.json_object()) {
        return Invalid(field, "false: leave it out where the answer may be anything");
      }
      break;
    case v1::GenerateRequest::kRegex:
      field = "regex";
      source = {grammar::Source::Kind::kRegex, request.regex()};
      break;
    case v1::GenerateRequest::OUTPUT_FORMAT_NOT_SET:
      return source;
  }
  // The format alone says where an answer may end, and it ends there.
  if (request.sampling().ignore_eos()) {
    return Invalid("sampling.ignore_eos", absl::StrCat("not together with ", field));
  }
  if (request.sampling().min_tokens() > 0) {
    return Invalid("sampling.min_tokens", absl::StrCat("not together with ", field));
  }
  return source;
}

models::sampling::Parameters ParametersOf(const v1::SamplingParameters& request,
                                          const models::decoder::GenerationSettings& settings) {
  models::sampling::Parameters parameters;
  const float otherwise = settings.sample ? settings.temperature : 0;
  parameters.temperature = request.has_temperature() ? request.temperature() : otherwise;
  parameters.top_k = request.has_top_k() ? request.top_k() : settings.top_k;
  parameters.top_p = request.has_top_p() ? request.top_p() : settings.top_p;
  parameters.min_p = request.has_min_p() ? request.min_p() : settings.min_p;
  parameters.repetition_penalty =
      request.has_repetition_penalty() ? request.repetition_penalty() : settings.repetition_penalty;
  parameters.frequency_penalty = request.frequency_penalty();
  parameters.presence_penalty = request.presence_penalty();
  for (const v1::LogitBias& one : request.logit_bias()) {
    parameters.logit_bias.push_back(
        {.token = static_cast<int32_t>(one.token_id()), .bias = one.bias()});
  }
  parameters.min_tokens = static_cast<int32_t>(std::min(request.min_tokens(), kMostTokens));
  if (request.has_top_logprobs()) {
    parameters.top_logprobs = static_cast<int32_t>(request.top_logprobs());
  }
  return parameters;
}

void SetLengths(const v1::SamplingParameters& request,
                const models::decoder::GenerationSettings& settings, GenerateWish& wish) {
  wish.max_tokens = request.has_max_tokens()
                        ? static_cast<int>(std::min(request.max_tokens(), kMostTokens))
                        : settings.max_new_tokens;
  wish.max_length = wish.max_tokens > 0 ? 0 : settings.max_length;
}

}  // namespace

absl::StatusOr<GenerateWish> CheckGenerate(const v1::DecoderGenerateRequest& request,
                                           const models::decoder::GenerationSettings& settings,
                                           uint64_t random_seed, const RequestLimits& limits) {
  GenerateWish wish;
  TERMINUS_ASSIGN_OR_RETURN(wish.messages, CheckMessages(request.request(), limits.max_text_bytes));
  if (request.soft_tokens_size() > 0) {
    return base::FieldError(base::kReasonUnsupportedModality, "soft_tokens",
                            "the served language model takes text only");
  }
  const v1::SamplingParameters& sampling = request.request().sampling();
  TERMINUS_RETURN_IF_ERROR(CheckSampling(sampling, limits.vocab_size));
  TERMINUS_ASSIGN_OR_RETURN(wish.format, FormatOf(request.request()));
  wish.sampling = ParametersOf(sampling, settings);
  wish.sampling.seed = sampling.has_seed() ? sampling.seed() : random_seed;
  wish.choices = std::max(1, static_cast<int>(sampling.choices()));
  SetLengths(sampling, settings, wish);
  wish.stops = settings.stop_strings;
  if (sampling.stop_size() > 0) {
    wish.stops.assign(sampling.stop().begin(), sampling.stop().end());
  }
  wish.stop_tokens.assign(sampling.stop_token_ids().begin(), sampling.stop_token_ids().end());
  wish.ignore_eos = sampling.ignore_eos();
  wish.special_tokens_in_messages = request.request().allow_special_tokens_in_messages();
  return wish;
}

}  // namespace terminus::services::decoder::edge
