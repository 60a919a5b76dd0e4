#include "services/decoder/edge/choice_text.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::edge {
namespace {

void WriteLogprob(const models::sampling::Logprob& from, v1::Logprob* to) {
  to->set_token_id(static_cast<uint32_t>(from.token));
  to->set_logprob(from.logprob);
}

}  // namespace

absl::Status ChoiceText::Push(const models::sampling::Sampled& token, bool with_logprobs,
                              v1::TextDelta& delta) {
  TERMINUS_CHECK(!ended_);
  ++tokens_;
  delta.add_token_ids(static_cast<uint32_t>(token.chosen.token));
  if (with_logprobs) {
    v1::TokenLogprobs* logprobs = delta.add_logprobs();
    WriteLogprob(token.chosen, logprobs->mutable_chosen());
    for (const models::sampling::Logprob& alternative : token.top) {
      WriteLogprob(alternative, logprobs->add_top());
    }
  }
  if (IsEnd(token.chosen.token)) {
    End(pipeline::EndReason::kStop, delta);
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, stream_->Push(token.chosen.token));
  Show(text, delta);
  return absl::OkStatus();
}

bool ChoiceText::IsEnd(int32_t token) const {
  return tokens_ > min_tokens_ &&
         std::find(end_tokens_.begin(), end_tokens_.end(), token) != end_tokens_.end();
}

void ChoiceText::End(pipeline::EndReason reason, v1::TextDelta& delta) {
  TERMINUS_CHECK(!ended_);
  Show(stream_->Flush(), delta);
  if (ended_) {
    return;  // The last character completed a stop string.
  }
  delta.mutable_text()->append(matcher_.Flush());
  delta.set_finish_reason(reason == pipeline::EndReason::kStop ? v1::FINISH_REASON_STOP
                                                               : v1::FINISH_REASON_LENGTH);
  ended_ = true;
}

void ChoiceText::Show(const std::string& text, v1::TextDelta& delta) {
  delta.mutable_text()->append(matcher_.Push(text));
  if (matcher_.matched()) {
    delta.set_finish_reason(v1::FINISH_REASON_STOP);
    ended_ = true;
  }
}

void Merge(const v1::TextDelta& more, v1::TextDelta& delta) {
  delta.mutable_text()->append(more.text());
  delta.mutable_token_ids()->MergeFrom(more.token_ids());
  delta.mutable_logprobs()->MergeFrom(more.logprobs());
  if (more.finish_reason() != v1::FINISH_REASON_UNSPECIFIED) {
    delta.set_finish_reason(more.finish_reason());
  }
}

}  // namespace terminus::services::decoder::edge
