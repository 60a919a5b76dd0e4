#include "common/grammar/schema_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"

namespace terminus::grammar {
namespace {

using Json = nlohmann::json;
using Words = absl::flat_hash_set<absl::string_view>;

constexpr int kMaxDepth = 128;

// Arrays and objects in each other, strings left out.
int DepthOf(const std::string& json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

// Keywords that restrict a value and that the compiler honours.
const Words& Honoured() {
  static const Words words = {"$ref",
                              "additionalProperties",
                              "allOf",
                              "anyOf",
                              "const",
                              "enum",
                              "exclusiveMaximum",
                              "exclusiveMinimum",
                              "format",
                              "items",
                              "maxItems",
                              "maxLength",
                              "maxProperties",
                              "maximum",
                              "minItems",
                              "minLength",
                              "minProperties",
                              "minimum",
                              "multipleOf",
                              "oneOf",
                              "pattern",
                              "patternProperties",
                              "prefixItems",
                              "properties",
                              "propertyNames",
                              "required",
                              "type",
                              "unevaluatedItems",
                              "unevaluatedProperties"};
  return words;
}

// Those that it does not.
const Words& Unsupported() {
  static const Words words = {"$dynamicRef",
                              "$recursiveRef",
                              "additionalItems",
                              "contains",
                              "dependencies",
                              "dependentRequired",
                              "dependentSchemas",
                              "disallow",
                              "divisibleBy",
                              "else",
                              "extends",
                              "if",
                              "maxContains",
                              "minContains",
                              "not",
                              "then"};
  return words;
}

// Formats of JSON Schema that it passes over; formats of others are notes.
const Words& UnsupportedFormats() {
  static const Words words = {"idn-email", "idn-hostname", "iri", "iri-reference", "regex"};
  return words;
}

// One of these decides alone what a value is: the compiler passes over all beside it.
constexpr absl::string_view kAlone[] = {"$ref", "const", "enum", "anyOf", "oneOf", "allOf"};

absl::Status Error(const std::string& place, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat(place.empty() ? "the schema" : place, ": ", message));
}

std::string Inside(const std::string& place, absl::string_view key) {
  return place.empty() ? std::string(key) : absl::StrCat(place, ".", key);
}

bool IsOfType(const Json& value, const std::string& type) {
  return type == "object"    ? value.is_object()
         : type == "array"   ? value.is_array()
         : type == "string"  ? value.is_string()
         : type == "boolean" ? value.is_boolean()
         : type == "null"    ? value.is_null()
         : type == "number"  ? value.is_number()
                             : type == "integer" && value.is_number_integer();
}

// "type" beside "const" or "enum" changes nothing if all their values are of it.
bool TypeFits(const Json& type, const Json& schema) {
  const Json values =
      schema.contains("const") ? Json::array({schema["const"]}) : schema.value("enum", Json());
  const auto fits = [&type](const Json& value) {
    return type.is_string()
               ? IsOfType(value, type.get<std::string>())
               : type.is_array() && std::any_of(type.begin(), type.end(), [&](auto& t) {
                   return t.is_string() && IsOfType(value, t.template get<std::string>());
                 });
  };
  return values.is_array() && std::all_of(values.begin(), values.end(), fits);
}

class Checker {
 public:
  absl::Status Check(const Json& schema, const std::string& place) {
    if (schema.is_boolean()) {
      return absl::OkStatus();
    }
    if (!schema.is_object()) {
      return Error(place, "not a schema: an object or a boolean is expected");
    }
    TERMINUS_RETURN_IF_ERROR(CheckKeywords(schema, place));
    TERMINUS_RETURN_IF_ERROR(CheckAlone(schema, place));
    TERMINUS_RETURN_IF_ERROR(CheckRequired(schema, place));
    return CheckInside(schema, place);
  }

 private:
  absl::Status CheckKeywords(const Json& schema, const std::string& place) {
    bool honoured = false;
    for (const auto& [key, value] : schema.items()) {
      if (Unsupported().contains(key) || (key == "uniqueItems" && value != Json(false))) {
        return Error(place, absl::StrCat("the keyword \"", key, "\" is not supported"));
      }
      honoured |= Honoured().contains(key);
    }
    if (const auto format = schema.find("format");
        format != schema.end() &&
        (!format->is_string() || UnsupportedFormats().contains(format->get<std::string>()))) {
      return Error(place, absl::StrCat("the format ", format->dump(), " is not supported"));
    }
    constexpr absl::string_view kKinds[] = {
        "type",        "properties",       "additionalProperties", "items",
        "prefixItems", "unevaluatedItems", "unevaluatedProperties"};
    const auto has = [&schema](absl::string_view key) { return schema.contains(std::string(key)); };
    if (honoured && std::none_of(std::begin(kAlone), std::end(kAlone), has) &&
        std::none_of(std::begin(kKinds), std::end(kKinds), has)) {
      return Error(place, "\"type\" is missing: without it the other keywords have no effect");
    }
    return absl::OkStatus();
  }

  absl::Status CheckAlone(const Json& schema, const std::string& place) {
    for (const absl::string_view alone : kAlone) {
      if (!schema.contains(std::string(alone))) {
        continue;
      }
      for (const auto& [key, value] : schema.items()) {
        const bool values = alone == "const" || alone == "enum";
        if (key == alone || !Honoured().contains(key) ||
            (values && key == "type" && TypeFits(value, schema))) {
          continue;
        }
        return Error(place, absl::StrCat("\"", key, "\" beside \"", alone, "\" is not supported"));
      }
      return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  // The compiler makes objects of the properties that it was told of.
  absl::Status CheckRequired(const Json& schema, const std::string& place) {
    const auto required = schema.find("required");
    if (required == schema.end()) {
      return absl::OkStatus();
    }
    if (!required->is_array()) {
      return Error(place, "\"required\" is not an array of names");
    }
    const Json properties = schema.value("properties", Json::object());
    for (const Json& name : *required) {
      if (!name.is_string() || !properties.is_object() ||
          !properties.contains(name.get<std::string>())) {
        return Error(place, absl::StrCat("\"required\" has ", name.dump(),
                                         ", which is not among \"properties\""));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckInside(const Json& schema, const std::string& place) {
    for (const auto& [key, value] : schema.items()) {
      const std::string inside = Inside(place, key);
      if (key == "properties" || key == "patternProperties" || key == "$defs" ||
          key == "definitions") {
        if (!value.is_object()) {
          return Error(inside, "not an object of schemas");
        }
        for (const auto& [name, one] : value.items()) {
          TERMINUS_RETURN_IF_ERROR(Check(one, Inside(inside, name)));
        }
      } else if (key == "anyOf" || key == "oneOf" || key == "allOf" || key == "prefixItems") {
        if (!value.is_array() || value.empty()) {
          return Error(inside, "not an array of schemas");
        }
        for (size_t i = 0; i < value.size(); ++i) {
          TERMINUS_RETURN_IF_ERROR(Check(value[i], absl::StrCat(inside, "[", i, "]")));
        }
      } else if (key == "items" || key == "additionalProperties" || key == "propertyNames" ||
                 key == "unevaluatedItems" || key == "unevaluatedProperties") {
        TERMINUS_RETURN_IF_ERROR(Check(value, inside));
      }
    }
    return absl::OkStatus();
  }
};

}  // namespace

absl::Status CheckSchema(const std::string& schema) {
  if (const int depth = DepthOf(schema); depth > kMaxDepth) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the schema is nested ", depth, " deep, at most ", kMaxDepth, " levels are taken"));
  }
  Json parsed;
  try {
    parsed = Json::parse(schema);
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("the schema is not JSON: ", error.what()));
  }
  return Checker().Check(parsed, "");
}

}  // namespace terminus::grammar
