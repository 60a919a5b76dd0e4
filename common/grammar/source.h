#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"

namespace terminus::grammar {

// What an answer has to be.
struct Source {
  enum class Kind {
    // A JSON value that a schema admits; `text` is the schema.
    kJsonSchema,
    // Any JSON object; `text` is empty.
    kJsonObject,
    // A text that a regular expression matches from its beginning to its end.
    kRegex,
  };

  Kind kind = Kind::kJsonObject;
  std::string text;

  friend bool operator==(const Source&, const Source&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Source& source) {
    return H::combine(std::move(state), source.kind, source.text);
  }
};

// What is refused before anything is compiled: sources that are too long or nested too deeply, and
// what the compiler would not honour but pass over. INVALID_ARGUMENT says what and where.
absl::Status CheckSource(const Source& source, size_t max_bytes);

}  // namespace terminus::grammar
