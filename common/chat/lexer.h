#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::chat {

struct Token {
  enum class Kind {
    kText,    // Outside of tags, as it is written out.
    kName,    // Identifier or keyword.
    kString,  // Literal, escapes resolved.
    kInteger,
    kFloat,
    kOperator,     // One of the operators and brackets.
    kOutputEnd,    // }}
    kBlockEnd,     // %}
    kOutputBegin,  // {{
    kBlockBegin,   // {%
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  int line = 1;
};

// Cuts a template into tokens, the last one kEnd. White space around tags goes as Jinja does it
// with trim_blocks and lstrip_blocks on, and wherever a tag has a dash. INVALID_ARGUMENT names the
// line.
absl::StatusOr<std::vector<Token>> Lex(absl::string_view source);

}  // namespace terminus::chat
