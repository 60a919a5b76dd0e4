#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/decoder.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {

// Token ids → text, one by one, never half a character: what is pushed and flushed, put together,
// is what Tokenizer::Decode makes of all the ids, except where a row of tokens <0x00> to <0xFF> is
// not UTF-8: its characters up to there have come already (see Decoder::Stream). Keeps at most the
// bytes of one character, or one token. Not thread-safe; the tokenizer must outlive it.
class IncrementalDecoder {
 public:
  explicit IncrementalDecoder(const Tokenizer* tokenizer, bool skip_special_tokens = true);

  // The text that is certain now; U+FFFD for bytes that cannot become a character any more.
  // Errors as Tokenizer::Decode; nothing changes then.
  absl::StatusOr<std::string> Push(int32_t id);

  // What is left: U+FFFD for a character that never became complete. Ready for another text.
  std::string Flush();

 private:
  const Tokenizer* const tokenizer_;
  const bool skip_special_tokens_;
  absl::optional<Decoder::Stream> stream_;  // none if the tokenizer cannot decode
};

}  // namespace terminus::tokenizer
