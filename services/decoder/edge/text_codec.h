#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace terminus::services::decoder::edge {

struct ChatMessage {
  // "system", "user" or "assistant".
  std::string role;
  std::string content;
};

// Turns token ids into text one by one. Not thread-safe.
class TextStream {
 public:
  virtual ~TextStream() = default;

  // The whole characters that this token completes; empty while one is incomplete, and for special
  // tokens.
  virtual std::string Push(int32_t token) = 0;
  // What is left at the end: U+FFFD for a character that never became complete.
  virtual std::string Flush() = 0;
};

// All that the service needs of a model's tokenizer. Immutable: any thread may use it.
class TextCodec {
 public:
  virtual ~TextCodec() = default;

  // The prompt of a conversation, ending where the assistant is to answer. INVALID_ARGUMENT says
  // what the text or the order of roles is wrong with.
  virtual absl::StatusOr<std::vector<int32_t>> EncodeChat(
      absl::Span<const ChatMessage> messages) const = 0;

  virtual absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                                      bool add_special_tokens) const = 0;

  // The ids are below vocabulary_size().
  virtual absl::StatusOr<std::string> Decode(absl::Span<const int32_t> tokens,
                                             bool skip_special_tokens) const = 0;

  virtual std::unique_ptr<TextStream> NewStream() const = 0;

  virtual int vocabulary_size() const = 0;
};

}  // namespace terminus::services::decoder::edge
