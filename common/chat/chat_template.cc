#include "common/chat/chat_template.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/context.h"
#include "common/chat/evaluator.h"
#include "common/chat/parser.h"
#include "common/chat/support.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

constexpr size_t kMaxTemplateBytes = 1 << 20;

// A role in one word counts as the template's: templates build control tokens from it. Other roles
// are message text, so that none of them can be made to look like one.
Value RoleValue(const std::string& role) {
  const bool is_word = std::all_of(role.begin(), role.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
  return Value(is_word ? Text(role) : Text::FromMessage(role));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ChatTemplate>> ChatTemplate::Parse(absl::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the template has ", source.size(),
                                                   " bytes, expected at most ", kMaxTemplateBytes));
  }
  TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(source));
  std::unique_ptr<ChatTemplate> made(new ChatTemplate());
  TERMINUS_ASSIGN_OR_RETURN(made->parsed_, chat::Parse(source));
  TERMINUS_RETURN_IF_ERROR(CheckSupported(*made->parsed_));
  made->use_ = FindContentUse(*made->parsed_);
  return made;
}

absl::StatusOr<Value> ChatTemplate::ContentOf(const Message& message) const {
  TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(message.content));
  std::vector<ContentPart> parts = message.parts;
  if (parts.empty()) {
    if (!wants_parts()) return Value(Text::FromMessage(message.content));
    parts.push_back({.text = message.content});
  }
  List list;
  TextBuilder joined;
  for (const ContentPart& part : parts) {
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(part.type));
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(part.text));
    Dict dict;
    dict.Set("type", Value(part.type));
    if (part.type == "text") {
      dict.Set("text", Value(Text::FromMessage(part.text)));
    } else if (!use_.reads_parts) {
      return absl::InvalidArgumentError(
          absl::StrCat("the chat template takes texts only, not a part of type '", part.type, "'"));
    }
    if (!list.empty()) joined.AppendMarked("\n");
    joined.AppendMarked(part.text);
    list.push_back(Value(std::move(dict)));
  }
  return use_.reads_parts ? Value(std::move(list)) : Value(joined.Take());
}

absl::StatusOr<Rendered> ChatTemplate::Render(absl::Span<const Message> messages,
                                              bool add_generation_prompt,
                                              const SpecialTokens& tokens,
                                              const base::Clock& clock) const {
  List list;
  for (const Message& message : messages) {
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(message.role));
    TERMINUS_ASSIGN_OR_RETURN(Value content, ContentOf(message));
    list.push_back(Value(Dict{{"role", RoleValue(message.role)}, {"content", std::move(content)}}));
  }
  // As transformers calls it: without tools or documents their names are none, not undefined.
  Dict variables{{"messages", Value(std::move(list))},
                 {"tools", Value(Value::None())},
                 {"documents", Value(Value::None())},
                 {"add_generation_prompt", Value(add_generation_prompt)}};
  auto all = tokens.others;
  all.emplace_back("bos_token", tokens.bos);
  all.emplace_back("eos_token", tokens.eos);
  for (const auto& [name, token] : all) {
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(token));
    if (!token.empty()) variables.Set(name, Value(token));
  }
  return Render(variables, clock);
}

absl::StatusOr<Rendered> ChatTemplate::Render(const Dict& variables,
                                              const base::Clock& clock) const {
  Context context(&clock);
  TERMINUS_ASSIGN_OR_RETURN(Text text, Evaluate(*parsed_, variables, context));
  return Rendered{.text = std::move(text.bytes), .message_text = std::move(text.marks)};
}

}  // namespace terminus::chat
