#include "common/tokenizer/token_argument.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

absl::Status TokenFault(absl::string_view file, absl::string_view key, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", key, ": ", message));
}

bool IsTokenObject(const Json& value) {
  return value.is_object() && value.value("__type", Json()) == "AddedToken";
}

absl::StatusOr<TokenArgument> ReadTokenObject(const Json& object, bool marked,
                                              absl::string_view file, const std::string& key) {
  TokenArgument token;
  token.plain_string = false;
  bool has_content = false;
  for (const auto& [name, value] : object.items()) {
    if (name == "content") {
      if (!value.is_string()) return TokenFault(file, key + ".content", "expected a string");
      token.content = value.get<std::string>();
      has_content = true;
      continue;
    }
    if (name == "id" || (marked && name == "__type")) continue;
    if (name == "normalized" && value.is_null()) continue;
    if (!value.is_boolean()) {
      return TokenFault(file, absl::StrCat(key, ".", name), "expected true or false");
    }
    const bool on = value.get<bool>();
    if (name == "single_word") {
      token.single_word = on;
    } else if (name == "lstrip") {
      token.lstrip = on;
    } else if (name == "rstrip") {
      token.rstrip = on;
    } else if (name == "special") {
      token.special = on;
    } else if (name == "normalized") {
      token.normalized = on;
    } else {
      return TokenFault(
          file, absl::StrCat(key, ".", name),
          "not supported; a token has content, single_word, lstrip, rstrip, normalized "
          "and special");
    }
  }
  if (!has_content) return TokenFault(file, key + ".content", "missing");
  return token;
}

absl::StatusOr<TokenArgument> ReadToken(const Json& value, absl::string_view file,
                                        const std::string& key) {
  if (value.is_string()) return TokenArgument{.content = value.get<std::string>()};
  if (IsTokenObject(value)) return ReadTokenObject(value, /*marked=*/true, file, key);
  return TokenFault(file, key, "expected a string, or an object with \"__type\": \"AddedToken\"");
}

TokenDescription TokenArgument::Description() const {
  return {.content = content,
          .single_word = single_word,
          .lstrip = lstrip,
          .rstrip = rstrip,
          .normalized = normalized.value_or(!special),
          .special = special};
}

}  // namespace terminus::tokenizer
