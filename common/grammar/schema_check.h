#pragma once

#include <string>

#include "absl/status/status.h"

namespace terminus::grammar {

// Whether a JSON schema says only what answers can be held to. The compiler passes over keywords
// that it does not know, and over most that stand beside others such as "anyOf"; an answer could
// then break the schema. Keywords that are no part of JSON Schema say nothing about a value, and
// are let through.
//
// INVALID_ARGUMENT names the place in the schema and the keyword.
absl::Status CheckSchema(const std::string& schema);

}  // namespace terminus::grammar
