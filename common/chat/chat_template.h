#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/chat/ast.h"

namespace terminus::chat {

struct Message {
  // "system", "user" or "assistant", as the template knows them.
  std::string role;
  std::string content;
};

// Tokens that templates write out by name; empty where the model has none.
struct SpecialTokens {
  std::string bos;
  std::string eos;
};

// How a model wants a conversation written: a Jinja 2 template as Hugging Face's tokenizers carry
// it. Supported are if, for, set, namespaces, expressions with the usual operators, string methods,
// filters, tests, range and raise_exception; no macros, includes or imports. What a template may do
// is bounded. Immutable: any thread may use it.
class ChatTemplate {
 public:
  // INVALID_ARGUMENT names the line and what is not supported there.
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Parse(absl::string_view source);

  // From a model's folder: chat_template.jinja, or "chat_template" of tokenizer_config.json, of
  // several named ones "default"; with the special tokens of the latter. NOT_FOUND when the folder
  // has none.
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Load(const std::string& folder);

  // The conversation as text, up to where the assistant's next message begins if
  // `add_generation_prompt`. INVALID_ARGUMENT when the template refuses it, an order of roles, say,
  // or goes over a limit (evaluator.h), and with the reason INVALID_UTF8 for what is not UTF-8.
  absl::StatusOr<std::string> Render(absl::Span<const Message> messages,
                                     bool add_generation_prompt) const;

  // As above, with other special tokens.
  absl::StatusOr<std::string> Render(absl::Span<const Message> messages, bool add_generation_prompt,
                                     const SpecialTokens& tokens) const;

 private:
  ChatTemplate() = default;
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Make(absl::string_view source);

  Block block_;
  SpecialTokens tokens_;
};

}  // namespace terminus::chat
