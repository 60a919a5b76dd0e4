#include "common/chat/chat_template.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/chat/evaluator.h"
#include "common/chat/parser.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

constexpr size_t kMaxTemplateBytes = 1 << 20;
constexpr size_t kMaxConfigBytes = 16 << 20;

using Json = nlohmann::json;

// A token is written as its text, or as an object with it.
std::string TokenText(const Json& config, const char* key) {
  const Json token = config.value(key, Json());
  if (token.is_string()) return token.get<std::string>();
  if (token.is_object()) return token.value("content", std::string());
  return "";
}

// Empty when the config has none.
std::string TemplateText(const Json& config) {
  const Json found = config.value("chat_template", Json());
  if (found.is_string()) return found.get<std::string>();
  if (found.is_array()) {
    for (const Json& one : found) {
      if (one.is_object() && one.value("name", Json()) == "default" &&
          one.value("template", Json()).is_string()) {
        return one.at("template").get<std::string>();
      }
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Make(absl::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the template has ", source.size(), " bytes, at most ", kMaxTemplateBytes, " are taken"));
  }
  if (const size_t valid = tokenizer::ValidUtf8Prefix(source); valid < source.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the template is not valid UTF-8 at byte ", valid));
  }
  auto made = std::unique_ptr<ChatTemplate>(new ChatTemplate);
  TERMINUS_ASSIGN_OR_RETURN(made->block_, chat::Parse(source));
  return made;
}

absl::StatusOr<std::unique_ptr<const ChatTemplate>> ChatTemplate::Parse(absl::string_view source) {
  return Make(source);
}

absl::StatusOr<std::unique_ptr<const ChatTemplate>> ChatTemplate::Load(const std::string& folder) {
  const std::string config_path = absl::StrCat(folder, "/tokenizer_config.json");
  Json config = Json::object();
  if (std::filesystem::exists(config_path)) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(config_path, kMaxConfigBytes));
    config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(config_path, ": not a JSON object"));
    }
  }
  std::string path = absl::StrCat(folder, "/chat_template.jinja");
  std::string source;
  if (std::filesystem::exists(path)) {
    TERMINUS_ASSIGN_OR_RETURN(source, base::ReadFile(path, kMaxTemplateBytes));
  } else {
    path = absl::StrCat(config_path, ", chat_template");
    source = TemplateText(config);
  }
  if (source.empty()) {
    return absl::NotFoundError(absl::StrCat(
        folder,
        ": no chat template, neither chat_template.jinja nor one in tokenizer_config.json"));
  }
  auto made = Make(source);
  if (!made.ok()) {
    return base::Annotate(made.status(), path);
  }
  (*made)->tokens_ = {.bos = TokenText(config, "bos_token"), .eos = TokenText(config, "eos_token")};
  return made;
}

absl::StatusOr<std::string> ChatTemplate::Render(absl::Span<const Message> messages,
                                                 bool add_generation_prompt) const {
  return Render(messages, add_generation_prompt, tokens_);
}

absl::StatusOr<std::string> ChatTemplate::Render(absl::Span<const Message> messages,
                                                 bool add_generation_prompt,
                                                 const SpecialTokens& tokens) const {
  List list;
  for (const Message& message : messages) {
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(message.role));
    TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(message.content));
    list.push_back(Value(Dict{{"role", Value(message.role)}, {"content", Value(message.content)}}));
  }
  TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(tokens.bos));
  TERMINUS_RETURN_IF_ERROR(tokenizer::CheckUtf8(tokens.eos));
  // As transformers calls it: without tools or documents their names are none, not undefined.
  return Evaluate(block_, Dict{{"messages", Value(std::move(list))},
                               {"tools", Value(Value::None())},
                               {"documents", Value(Value::None())},
                               {"add_generation_prompt", Value(add_generation_prompt)},
                               {"bos_token", Value(tokens.bos)},
                               {"eos_token", Value(tokens.eos)}});
}

}  // namespace terminus::chat
