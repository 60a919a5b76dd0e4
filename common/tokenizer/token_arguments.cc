#include "common/tokenizer/token_arguments.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kConfig[] = "tokenizer_config.json";
constexpr char kMap[] = "special_tokens_map.json";
constexpr char kAdded[] = "added_tokens.json";
constexpr char kFile[] = "tokenizer.json";

bool IsNamed(absl::string_view key) {
  return std::find(kTokenNames.begin(), kTokenNames.end(), key) != kTokenNames.end();
}

// Whether Python takes a value for false.
bool IsEmpty(const Json& value) {
  return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
         (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

// Builds the arguments as PreTrainedTokenizerBase._from_pretrained does it.
class Reader {
 public:
  explicit Reader(const TokenFiles& files) : files_(files), arguments_(files.tokenizer_config) {}

  absl::StatusOr<TokenArguments> Read() {
    if (arguments_.is_null()) arguments_ = Json::object();
    TakeModelSpecific();
    if (arguments_.contains("added_tokens_decoder")) {
      TERMINUS_RETURN_IF_ERROR(ReadDecoder());
    } else {
      TERMINUS_RETURN_IF_ERROR(ReadMap());
      TERMINUS_RETURN_IF_ERROR(ReadAddedTokens());
      TERMINUS_RETURN_IF_ERROR(ReadFileTokens());
    }
    TERMINUS_RETURN_IF_ERROR(ReadNamed());
    TERMINUS_RETURN_IF_ERROR(ReadModelSpecific());
    TERMINUS_RETURN_IF_ERROR(ReadExtra());
    return std::move(result_);
  }

 private:
  const Json& Argument(const char* key) const {
    static const Json kNull;
    const auto found = arguments_.find(key);
    return found == arguments_.end() ? kNull : *found;
  }

  // Strings under names of the model's own, and extra tokens that have names.
  void TakeModelSpecific() {
    if (arguments_.contains("additional_special_tokens") &&
        IsEmpty(Argument("extra_special_tokens"))) {
      Json additional = arguments_["additional_special_tokens"];
      arguments_.erase("additional_special_tokens");
      arguments_["extra_special_tokens"] = std::move(additional);
    }
    Json specific = Json::object();
    const Json all = arguments_;
    for (const auto& [key, value] : all.items()) {
      if (!value.is_string() || IsNamed(key) || !absl::EndsWith(key, "_token")) continue;
      specific[key] = value;
      arguments_.erase(key);
    }
    if (Argument("extra_special_tokens").is_object()) {
      specific.update(arguments_["extra_special_tokens"]);
      arguments_.erase("extra_special_tokens");
    }
    if (!specific.empty()) arguments_["model_specific_special_tokens"] = std::move(specific);
  }

  absl::Status ReadDecoder() {
    const Json& decoder = Argument("added_tokens_decoder");
    if (!decoder.is_object())
      return TokenFault(kConfig, "added_tokens_decoder", "expected an object");
    for (const auto& [id, value] : decoder.items()) {
      const std::string key = absl::StrCat("added_tokens_decoder.", id);
      int64_t number = 0;
      if (!absl::SimpleAtoi(id, &number)) return TokenFault(kConfig, key, "expected an id");
      if (!value.is_object()) return TokenFault(kConfig, key, "expected an object");
      TERMINUS_ASSIGN_OR_RETURN(TokenArgument token,
                                ReadTokenObject(value, IsTokenObject(value), kConfig, key));
      Keep(number, std::move(token));
    }
    return absl::OkStatus();
  }

  void Keep(int64_t id, TokenArgument token) {
    by_content_[token.content] = token;
    result_.by_id[id] = std::move(token);
  }

  absl::Status ReadMap() {
    if (files_.special_tokens_map.is_null()) return absl::OkStatus();
    for (const auto& [key, value] : files_.special_tokens_map.items()) {
      const bool is_extra = key == "extra_special_tokens";
      if (value.is_object() && !is_extra) {
        TERMINUS_RETURN_IF_ERROR(ReadTokenObject(value, /*marked=*/false, kMap, key).status());
        Json token = value;
        token["__type"] = "AddedToken";
        token["special"] = true;
        arguments_[key] = std::move(token);
        from_map_.insert(key);
      } else if (value.is_array() && is_extra) {
        TERMINUS_RETURN_IF_ERROR(MergeExtra(value));
      } else {
        arguments_[key] = value;
      }
    }
    if (Argument("extra_special_tokens").is_object()) {
      arguments_["model_specific_special_tokens"].update(arguments_["extra_special_tokens"]);
      arguments_.erase("extra_special_tokens");
    }
    return absl::OkStatus();
  }

  absl::Status MergeExtra(const Json& more) {
    Json merged = Json::array();
    for (const Json* list : {&Argument("extra_special_tokens"), &more}) {
      if (list->is_null()) continue;
      if (!list->is_array()) return TokenFault(kMap, "extra_special_tokens", "expected a list");
      for (Json token : *list) {
        if (token.is_object() && list == &more) {
          if (token.contains("__type")) {
            return TokenFault(kMap, "extra_special_tokens.__type", "not supported");
          }
          token["__type"] = "AddedToken";
          token["special"] = true;
        }
        if (std::find(merged.begin(), merged.end(), token) == merged.end()) {
          merged.push_back(std::move(token));
        }
      }
    }
    arguments_["extra_special_tokens"] = std::move(merged);
    return absl::OkStatus();
  }

  absl::Status ReadAddedTokens() {
    if (files_.added_tokens.is_null()) return absl::OkStatus();
    absl::flat_hash_set<std::string> special;
    for (const absl::string_view name : kTokenNames) {
      const std::string key(name);
      const Json& value = Argument(key.c_str());
      // Objects of tokenizer_config.json are not tokens yet when transformers looks at them.
      if (from_map_.contains(key)) {
        special.insert(value["content"].get<std::string>());
      } else if (value.is_string()) {
        special.insert(value.get<std::string>());
      }
    }
    for (const Json& token : Argument("extra_special_tokens")) {
      if (token.is_string()) special.insert(token.get<std::string>());
    }
    for (const auto& [content, id] : files_.added_tokens.items()) {
      if (!id.is_number_unsigned()) return TokenFault(kAdded, content, "expected an id");
      TokenArgument token{.content = content, .plain_string = false};
      token.special = special.contains(content);
      token.normalized = !token.special;
      Keep(id.get<int64_t>(), std::move(token));
    }
    return absl::OkStatus();
  }

  absl::Status ReadFileTokens() {
    if (files_.file_tokens == nullptr || files_.file_tokens->is_null()) return absl::OkStatus();
    if (!files_.file_tokens->is_array())
      return TokenFault(kFile, "added_tokens", "expected an array");
    for (const nlohmann::json& entry : *files_.file_tokens) {
      const std::string key = "added_tokens";
      const auto id = entry.is_object() ? entry.find("id") : entry.end();
      if (!entry.is_object() || id == entry.end() || !id->is_number_unsigned()) {
        return TokenFault(kFile, key, "expected objects, each with an id");
      }
      TERMINUS_ASSIGN_OR_RETURN(TokenArgument token,
                                ReadTokenObject(Json(entry), /*marked=*/false, kFile, key));
      Keep(id->get<int64_t>(), std::move(token));
    }
    return absl::OkStatus();
  }

  // A special token with its properties, where a list of added tokens has them.
  TokenArgument WithProperties(TokenArgument token) const {
    const auto known = by_content_.find(token.content);
    return known == by_content_.end() ? token : known->second;
  }

  absl::Status ReadNamed() {
    for (const absl::string_view name : kTokenNames) {
      const std::string key(name);
      const auto value = arguments_.find(key);
      if (value == arguments_.end()) continue;
      result_.named[key] = absl::nullopt;
      if (value->is_null()) continue;
      TERMINUS_ASSIGN_OR_RETURN(TokenArgument token, ReadToken(*value, kConfig, key));
      result_.named[key] = WithProperties(std::move(token));
    }
    return absl::OkStatus();
  }

  void SetSpecific(const std::string& key, TokenArgument token) {
    if (IsNamed(key)) {
      result_.named[key] = std::move(token);
      return;
    }
    for (auto& [known, value] : result_.model_specific) {
      if (known == key) {
        value = std::move(token);
        return;
      }
    }
    result_.model_specific.emplace_back(key, std::move(token));
  }

  absl::Status ReadModelSpecific() {
    const Json& specific = Argument("model_specific_special_tokens");
    if (!specific.is_null() && !specific.is_object()) {
      return TokenFault(kConfig, "model_specific_special_tokens", "expected an object");
    }
    for (const auto& [key, value] : arguments_.items()) {
      if (IsNamed(key) || !absl::EndsWith(key, "_token")) continue;
      if (!value.is_string() && !IsTokenObject(value)) continue;
      TERMINUS_ASSIGN_OR_RETURN(TokenArgument token, ReadToken(value, kConfig, key));
      SetSpecific(key, std::move(token));
    }
    for (const auto& [key, value] : specific.items()) {
      TERMINUS_ASSIGN_OR_RETURN(
          TokenArgument token,
          ReadToken(value, kConfig, absl::StrCat("model_specific_special_tokens.", key)));
      SetSpecific(key, std::move(token));
    }
    return absl::OkStatus();
  }

  absl::Status ReadExtra() {
    const char* key = arguments_.contains("extra_special_tokens") ? "extra_special_tokens"
                                                                  : "additional_special_tokens";
    const Json& extra = Argument(key);
    if (extra.is_null()) return absl::OkStatus();
    if (!extra.is_array()) return TokenFault(kConfig, key, "expected a list");
    for (const Json& value : extra) {
      TERMINUS_ASSIGN_OR_RETURN(TokenArgument token, ReadToken(value, kConfig, key));
      result_.extra.push_back(std::move(token));
    }
    return absl::OkStatus();
  }

  const TokenFiles& files_;
  // Keyword arguments, as they are put together.
  Json arguments_;
  absl::flat_hash_set<std::string> from_map_;  // arguments that special_tokens_map.json gave
  std::map<std::string, TokenArgument> by_content_;
  TokenArguments result_;
};

}  // namespace

absl::StatusOr<TokenArguments> ReadTokenArguments(const TokenFiles& files) {
  return Reader(files).Read();
}

std::vector<TokenDescription> TokensToAdd(const TokenArguments& arguments,
                                          const std::vector<std::string>& in_file) {
  std::vector<TokenArgument> tokens;
  absl::flat_hash_set<std::string> known(in_file.begin(), in_file.end());
  for (const auto& [id, token] : arguments.by_id) {
    tokens.push_back(token);
    known.insert(token.content);
  }
  absl::flat_hash_set<std::string> names;  // contents of the special tokens that have names
  const auto add = [&](const TokenArgument& token) {
    if (known.contains(token.content)) return;
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
  };
  for (const absl::string_view name : kTokenNames) {
    const auto token = arguments.named.find(name);
    if (token == arguments.named.end() || !token->second) continue;
    names.insert(token->second->content);
    add(*token->second);
  }
  for (const auto& [name, token] : arguments.model_specific) {
    names.insert(token.content);
    add(token);
  }
  for (const TokenArgument& token : arguments.extra) add(token);
  std::vector<TokenDescription> described;
  for (TokenArgument& token : tokens) {
    if (token.plain_string || names.contains(token.content)) token.special = true;
    described.push_back(token.Description());
  }
  return described;
}

}  // namespace terminus::tokenizer
