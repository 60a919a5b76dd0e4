#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/grammar/grammar.h"

// Parts of the tests of common/grammar.
namespace terminus::grammar::testing {

// Every byte, then some words and pieces of JSON, then two tokens without text, of which the last
// ends an answer.
std::shared_ptr<const Vocabulary> MakeVocabulary();

absl::StatusOr<std::shared_ptr<const Grammar>> CompileSchema(const std::string& schema);
absl::StatusOr<std::shared_ptr<const Grammar>> CompileRegex(const std::string& regex);

// The text of an answer of a model that gives every allowed token with the same probability, but
// prefers to end and to close brackets, so that answers end. Empty when the answer was not over
// after `max_tokens`.
absl::StatusOr<std::string> RandomAnswer(std::shared_ptr<const Grammar> grammar,
                                         std::mt19937& random, int max_tokens = 2000);

// An escape such as \ud800: half of a pair may stand alone in JSON, but the parser of the tests
// refuses it.
bool HasSurrogate(const std::string& json);

// Whether a value is as a schema says, of the keywords that the tests use: type, enum, const,
// anyOf, properties, required, additionalProperties, items, prefixItems, minItems, maxItems,
// minLength, maxLength, minimum, maximum and $ref into $defs.
bool Admits(const nlohmann::json& schema, const nlohmann::json& value, const nlohmann::json& root);

}  // namespace terminus::grammar::testing
