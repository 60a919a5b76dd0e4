#include "common/grammar/grammar_testing.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace terminus::grammar::testing {
namespace {

using Json = nlohmann::json;

std::vector<int32_t> AllowedBy(const std::vector<uint32_t>& mask, int size) {
  std::vector<int32_t> tokens;
  for (int32_t token = 0; token < size; ++token) {
    if ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0) {
      tokens.push_back(token);
    }
  }
  return tokens;
}

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  return type == "array" ? value.is_array() : type == "object" && value.is_object();
}

// A lower or an upper bound, where there is one.
bool Within(const Json& schema, const char* least, const char* most, double value) {
  return (!schema.contains(least) || value >= schema[least].get<double>()) &&
         (!schema.contains(most) || value <= schema[most].get<double>());
}

size_t Characters(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool AdmitsArray(const Json& schema, const Json& value, const Json& root) {
  if (!Within(schema, "minItems", "maxItems", static_cast<double>(value.size()))) return false;
  const Json prefix = schema.value("prefixItems", Json::array());
  for (size_t i = 0; i < value.size(); ++i) {
    const Json item = i < prefix.size() ? prefix[i] : schema.value("items", Json(true));
    if (!Admits(item, value[i], root)) return false;
  }
  return true;
}

bool AdmitsObject(const Json& schema, const Json& value, const Json& root) {
  for (const Json& name : schema.value("required", Json::array())) {
    if (!value.contains(name.get<std::string>())) return false;
  }
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, one] : value.items()) {
    const Json property = properties.contains(name)
                              ? properties[name]
                              : schema.value("additionalProperties", Json(true));
    if (!Admits(property, one, root)) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<const Vocabulary> MakeVocabulary() {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.emplace_back(1, static_cast<char>(byte));
  }
  for (const char* token :
       {"{\"",  "\": ", "\",",      "\"}", "[]",      "{}",   "true",     "false",
        "null", "name", "\"name\"", " a",  "12",      "-3.5", "é",        "日本",
        "\\n",  "}]",   "],",       "e+1", "the cat", "\n  ", "\xe6\x97", "\xa5x"}) {
    bytes.emplace_back(token);
  }
  bytes.resize(bytes.size() + 2);
  const auto end = static_cast<int32_t>(bytes.size()) - 1;
  auto vocabulary = Vocabulary::FromBytes(std::move(bytes), {end});
  TERMINUS_CHECK(vocabulary.ok());
  return *std::move(vocabulary);
}

absl::StatusOr<std::shared_ptr<const Grammar>> CompileSchema(const std::string& schema) {
  return Grammar::Compile({Source::Kind::kJsonSchema, schema}, MakeVocabulary(), {});
}

absl::StatusOr<std::shared_ptr<const Grammar>> CompileRegex(const std::string& regex) {
  return Grammar::Compile({Source::Kind::kRegex, regex}, MakeVocabulary(), {});
}

absl::StatusOr<std::string> RandomAnswer(std::shared_ptr<const Grammar> grammar,
                                         std::mt19937& random, int max_tokens) {
  const Vocabulary& vocabulary = grammar->vocabulary();
  Matcher matcher(grammar);
  std::string text;
  std::vector<uint32_t> mask(vocabulary.mask_words());
  for (int i = 0; i < max_tokens; ++i) {
    TERMINUS_RETURN_IF_ERROR(matcher.FillMask(absl::MakeSpan(mask)));
    std::vector<int32_t> allowed = AllowedBy(mask, vocabulary.size());
    const auto ends = [&vocabulary](int32_t token) {
      const std::string& bytes = vocabulary.BytesOf(token);
      return bytes.empty() || bytes == "\"" || bytes == "}" || bytes == "]";
    };
    const auto ending = std::find_if(allowed.begin(), allowed.end(), ends);
    const int32_t token =
        ending != allowed.end() && random() % 8 == 0 ? *ending : allowed[random() % allowed.size()];
    if (!matcher.Accept(token)) return absl::InternalError("refused what it allows: " + text);
    text += vocabulary.BytesOf(token);
    if (matcher.IsTerminated()) return text;
  }
  return std::string();
}

bool HasSurrogate(const std::string& json) {
  return json.find("\\ud") != std::string::npos || json.find("\\uD") != std::string::npos;
}

bool Admits(const Json& schema, const Json& value, const Json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref")) {
    const std::string pointer = schema["$ref"].get<std::string>().substr(1);
    return Admits(root.at(Json::json_pointer(pointer)), value, root);
  }
  if (schema.contains("const") && schema["const"] != value) return false;
  const auto equals = [&value](const Json& one) { return one == value; };
  if (schema.contains("enum") &&
      std::none_of(schema["enum"].begin(), schema["enum"].end(), equals)) {
    return false;
  }
  const auto admits = [&](const Json& one) { return Admits(one, value, root); };
  if (schema.contains("anyOf") &&
      std::none_of(schema["anyOf"].begin(), schema["anyOf"].end(), admits)) {
    return false;
  }
  if (schema.contains("type") && !IsOfType(value, schema["type"])) return false;
  if (value.is_number()) return Within(schema, "minimum", "maximum", value.get<double>());
  if (value.is_string()) {
    return Within(schema, "minLength", "maxLength",
                  static_cast<double>(Characters(value.get<std::string>())));
  }
  if (value.is_array()) return AdmitsArray(schema, value, root);
  return !value.is_object() || AdmitsObject(schema, value, root);
}

}  // namespace terminus::grammar::testing
