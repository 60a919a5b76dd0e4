#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/byte_range.h"
#include "common/base/clock.h"
#include "common/chat/ast.h"
#include "common/chat/content_parts.h"

namespace terminus::chat {

// A part of a message's content.
struct ContentPart {
  // As templates know it: "text", "image" …
  std::string type = "text";
  // The words of a part of type "text"; empty for other types.
  std::string text;
};

struct Message {
  // "system", "user", "assistant", or another that the template knows.
  std::string role;
  std::string content;
  // The content as a list; when it is not empty, `content` is not used.
  std::vector<ContentPart> parts = {};
};

// Tokens that templates write out by name; empty where the model has none, and undefined then.
struct SpecialTokens {
  std::string bos;
  std::string eos;
  // By their variables' names, as "pad_token".
  std::vector<std::pair<std::string, std::string>> others = {};
};

// A conversation as the model wants it written.
struct Rendered {
  std::string text;
  // The bytes of `text` that come from the content of messages, or were computed from it: sorted,
  // not empty, apart from each other. What is outside, the template wrote.
  std::vector<base::ByteRange> message_text;
};

// How a model wants a conversation written: a Jinja 2 template as Hugging Face's tokenizers carry
// it, with the language as transformers sets it up. docs/chat_templates.md says what is supported.
// The work of a template is bounded. Immutable: any thread may use it.
class ChatTemplate {
 public:
  // INVALID_ARGUMENT names the line, and what is wrong or not supported there.
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Parse(absl::string_view source);

  // Whether the template goes through the content of messages as a list of parts and cannot do with
  // one string. Render then makes such a list of a string; a template that never goes through it
  // gets the texts of a list as one string, with newlines between them.
  bool wants_parts() const { return use_.reads_parts && !use_.reads_strings; }

  // The conversation as text, up to where the assistant's next message begins if
  // `add_generation_prompt`. INVALID_ARGUMENT when the template refuses it, an order of roles, say,
  // or goes over a limit (evaluator.h), and with the reason INVALID_UTF8 for what is not UTF-8.
  absl::StatusOr<Rendered> Render(absl::Span<const Message> messages, bool add_generation_prompt,
                                  const SpecialTokens& tokens,
                                  const base::Clock& clock = base::RealClock::Get()) const;

  // With any variables. Texts that are marked (Text) count as message text.
  absl::StatusOr<Rendered> Render(const Dict& variables,
                                  const base::Clock& clock = base::RealClock::Get()) const;

 private:
  ChatTemplate() = default;
  absl::StatusOr<Value> ContentOf(const Message& message) const;

  std::unique_ptr<const Template> parsed_;
  ContentUse use_;
};

}  // namespace terminus::chat
