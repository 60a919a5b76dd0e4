#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"

namespace terminus::models::bundle {

// A chat template of a model folder, not parsed yet.
struct TemplateSource {
  // The file, and the key inside it, for messages.
  std::string place;
  std::string text;
};

// The template that transformers' AutoTokenizer takes for a conversation without tools; nothing
// when the folder has none. Where there is chat_template.jinja or a file in
// additional_chat_templates/, those count, and "chat_template" of tokenizer_config.json does not.
// Of several templates with names the one named "default" is taken; INVALID_ARGUMENT without one.
// Warns of a chat_template.json, which only processors of pictures read.
absl::StatusOr<absl::optional<TemplateSource>> ReadTemplateSource(const std::string& folder);

}  // namespace terminus::models::bundle
