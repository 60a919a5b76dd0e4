#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {

// Token ids → text, one by one, never half a character: what is pushed and flushed, put together,
// is what Tokenizer::Decode makes of all the ids. Keeps at most the bytes of one character. Not
// thread-safe; the tokenizer must outlive it.
class IncrementalDecoder {
 public:
  explicit IncrementalDecoder(const Tokenizer* tokenizer, bool skip_special_tokens = true)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  // The text that is certain now; U+FFFD for bytes that cannot become a character any more.
  // INVALID_ARGUMENT for an id that is no token; nothing changes then.
  absl::StatusOr<std::string> Push(int32_t id);

  // What is left: U+FFFD for a character that never became complete. Ready for another text.
  std::string Flush();

 private:
  const Tokenizer* const tokenizer_;
  const bool skip_special_tokens_;
  std::string pending_;
};

// Appends `bytes` with U+FFFD in the place of each maximal part that is not UTF-8, as Unicode
// recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts"). With `more_to_come`, a
// character that is only cut off at the end stays out; returns how many bytes were used.
size_t AppendLossyUtf8(absl::string_view bytes, bool more_to_come, std::string& out);

}  // namespace terminus::tokenizer
