#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/cluster_config.h"

namespace terminus::config {

// Where a key's value lives in a ClusterConfig.
using Member =
    std::variant<bool* (*)(ClusterConfig&), int* (*)(ClusterConfig&), int64_t* (*)(ClusterConfig&),
                 std::string* (*)(ClusterConfig&), absl::Duration* (*)(ClusterConfig&),
                 std::vector<std::string>* (*)(ClusterConfig&)>;

// One key of terminus.yaml: declared once, used to read, check, override, write and document it.
struct Key {
  // Dotted path, such as "router.admission.max_items".
  std::string path;
  Member member;
  std::string help;
  // Bounds of a number, in the unit of the key (milliseconds for durations).
  int64_t at_least = 0;
  int64_t at_most = INT64_MAX;
  // Allowed strings; empty for any.
  std::vector<std::string> choices;
  // What a string, or each string of a list, must be.
  enum class Form { kAny, kAddress, kHostPort, kDevice } form = Form::kAny;
};

// All keys, in the order in which they are written and documented.
const std::vector<Key>& Keys();

// A string as a YAML double-quoted scalar.
std::string Quote(const std::string& value);

// The value as it stands in YAML: a scalar, or "[a, b]".
std::string Format(const Key& key, const ClusterConfig& config);

// Sets the value from scalars (one for everything but lists), or says what is wrong with it.
absl::Status Assign(const Key& key, const std::vector<std::string>& scalars, ClusterConfig& config);

// The table of docs/configuration.md, in Markdown.
std::string DocumentKeys();

}  // namespace terminus::config
