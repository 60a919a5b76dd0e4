#include "services/decoder/edge/make_generation.h"

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::edge {
namespace {

// Tokens that the answer has at most.
absl::StatusOr<int> MaxTokens(const GenerateWish& wish, int prompt_tokens, int context) {
  if (wish.max_tokens > 0) {
    return wish.max_tokens;
  }
  if (wish.max_length == 0) {
    return context;
  }
  if (prompt_tokens >= wish.max_length) {
    return base::FieldError(
        base::kReasonTextTooLong, "messages",
        absl::StrCat("the prompt has ", prompt_tokens, " tokens, the model's own limit of prompt ",
                     "and answer is ", wish.max_length, ": set sampling.max_tokens"));
  }
  return wish.max_length - prompt_tokens;
}

}  // namespace

absl::StatusOr<pipeline::Generation> MakeGeneration(const GenerateWish& wish,
                                                    const ServedModel& model) {
  pipeline::Generation generation;
  TERMINUS_ASSIGN_OR_RETURN(
      generation.prompt, model.codec->EncodeChat(wish.messages, wish.special_tokens_in_messages));
  const int context = model.engine->max_context();
  const auto tokens = static_cast<int64_t>(generation.prompt.size());
  if (tokens == 0) {
    return base::FieldError(base::kReasonEmptyItem, "messages", "the prompt has no tokens");
  }
  if (tokens >= context) {
    return base::FieldError(base::kReasonTextTooLong, "messages",
                            absl::StrCat("the prompt has ", tokens, " tokens, the context ",
                                         context, ", of which at least one is for the answer"));
  }
  generation.sampling = wish.sampling;
  generation.choices = wish.choices;
  TERMINUS_ASSIGN_OR_RETURN(generation.max_tokens,
                            MaxTokens(wish, static_cast<int>(tokens), context));
  generation.ignore_eos = wish.ignore_eos;
  return generation;
}

}  // namespace terminus::services::decoder::edge
