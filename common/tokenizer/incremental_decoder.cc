#include "common/tokenizer/incremental_decoder.h"

#include "common/base/status_macros.h"

namespace terminus::tokenizer {

IncrementalDecoder::IncrementalDecoder(const Tokenizer* tokenizer, bool skip_special_tokens)
    : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {
  if (tokenizer->decoder() != nullptr) stream_.emplace(tokenizer->decoder(), /*whole=*/false);
}

absl::StatusOr<std::string> IncrementalDecoder::Push(int32_t id) {
  TERMINUS_ASSIGN_OR_RETURN(const auto token, tokenizer_->TokenText(id, skip_special_tokens_));
  std::string text;
  if (token) stream_->Push(*token, text);
  return text;
}

std::string IncrementalDecoder::Flush() {
  std::string text;
  if (stream_) stream_->Flush(text);
  return text;
}

}  // namespace terminus::tokenizer
