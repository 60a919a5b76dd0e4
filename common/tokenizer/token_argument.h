#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/added_vocabulary.h"

namespace terminus::tokenizer {

// A token as Python holds it: a string alone, or with properties, of which one may be unset.
struct TokenArgument {
  std::string content;
  bool plain_string = true;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool special = false;
  absl::optional<bool> normalized = {};  // unset: the contrary of `special`

  TokenDescription Description() const;
  friend bool operator==(const TokenArgument&, const TokenArgument&) = default;
};

// INVALID_ARGUMENT with the file, the key in it, and the message.
absl::Status TokenFault(absl::string_view file, absl::string_view key, absl::string_view message);

// Whether a value says by "__type" that it is a token with properties.
bool IsTokenObject(const nlohmann::ordered_json& value);

// A token from an object with its properties. `marked`: the object may say that it is a token.
absl::StatusOr<TokenArgument> ReadTokenObject(const nlohmann::ordered_json& object, bool marked,
                                              absl::string_view file, const std::string& key);

// A special token of tokenizer_config.json: a string, or an object that says that it is a token.
absl::StatusOr<TokenArgument> ReadToken(const nlohmann::ordered_json& value, absl::string_view file,
                                        const std::string& key);

}  // namespace terminus::tokenizer
