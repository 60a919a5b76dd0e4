#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "common/config/cluster_config.h"

// The schema as a table. A key is declared once, in schema.cc; reading, writing, overriding, error
// messages and documentation all walk the same table.
namespace terminus::config {

// What a value must be. Numbers obey the bounds, texts (and each text of a list) the predicate.
struct Check {
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
  bool (*accepts)(const std::string&) = nullptr;
  // Completes "expected …", as in "at least 1". Empty: anything goes.
  std::string expected;
};

// A duration is written in whole milliseconds.
using Value =
    std::variant<int*, int64_t*, absl::Duration*, std::string*, std::vector<std::string>*>;

struct Key {
  // Such as "router.limits.max_items".
  std::string path;
  // Points into the config that the table was made for.
  Value value;
  Check check;
  std::string doc;
};

struct Section {
  // Such as "router.limits"; empty for the top.
  std::string path;
  std::string doc;
};

struct Schema {
  std::vector<Section> sections;
  std::vector<Key> keys;
};

// Its keys point into `config`, which must outlive it.
Schema SchemaOf(ClusterConfig& config);

// The known key or section most like `path`.
std::string NearestPath(const Schema& schema, const std::string& path);

}  // namespace terminus::config
