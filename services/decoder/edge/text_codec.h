#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace terminus::services::decoder::edge {

struct ChatMessage {
  // "system", "user" or "assistant".
  std::string role;
  // In reading order; at least one.
  std::vector<std::string> parts;

  // All parts as one string.
  std::string Text() const { return absl::StrJoin(parts, ""); }
};

// Turns token ids into text one by one. Not thread-safe.
class TextStream {
 public:
  virtual ~TextStream() = default;

  // The whole characters that this token completes; empty while one is incomplete, and for special
  // tokens and ids that are no tokens, as a vocabulary that is padded has them. An error is about
  // the token; no more text comes then.
  virtual absl::StatusOr<std::string> Push(int32_t token) = 0;
  // The text that is left at the end: U+FFFD for a character that never became complete.
  virtual std::string Flush() = 0;
};

// A model's tokenizer, as the service uses it. Immutable: any thread may use it.
class TextCodec {
 public:
  virtual ~TextCodec() = default;

  // The prompt of a conversation, ending where the assistant is to answer. What looks like a
  // special token in the text of a message is text, unless `special_tokens_in_messages`.
  // INVALID_ARGUMENT says what is wrong with the text or the order of roles, or which token the
  // model does not have.
  virtual absl::StatusOr<std::vector<int32_t>> EncodeChat(
      absl::Span<const ChatMessage> messages, bool special_tokens_in_messages) const = 0;

  // What looks like a special token is one.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                                      bool add_special_tokens) const = 0;

  // Ids that are no tokens have no text. Requires: they are below vocabulary_size().
  virtual absl::StatusOr<std::string> Decode(absl::Span<const int32_t> tokens,
                                             bool skip_special_tokens) const = 0;

  virtual std::unique_ptr<TextStream> NewStream() const = 0;

  // Of the model: one more than the largest id that it may give.
  virtual int vocabulary_size() const = 0;
};

}  // namespace terminus::services::decoder::edge
