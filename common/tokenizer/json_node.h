#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// A value inside a JSON document together with its path, such as "post_processor.single[1]", for
// messages. The document must outlive it.
class JsonNode {
 public:
  explicit JsonNode(const nlohmann::json& document) : value_(&document) {}

  const nlohmann::json& value() const { return *value_; }
  bool IsNull() const { return value_->is_null(); }

  // A member; a node that IsNull() where there is none.
  JsonNode Member(const std::string& key) const;
  // The elements of an array.
  absl::StatusOr<std::vector<JsonNode>> Elements() const;

  absl::StatusOr<bool> Bool() const;
  absl::StatusOr<std::string> String() const;
  // A string of one character.
  absl::StatusOr<std::string> Character() const;
  // From 0 to 2^31 - 2, so that one more is still an int32_t.
  absl::StatusOr<int32_t> Index() const;

  // A member that may be missing or null.
  absl::StatusOr<bool> BoolOr(const std::string& key, bool otherwise) const;
  absl::StatusOr<std::string> StringOr(const std::string& key, const std::string& otherwise) const;

  // Itself, or what a "Sequence" of these holds under `key`, and the sequences in it, in order.
  absl::StatusOr<std::vector<JsonNode>> Flattened(const std::string& key) const;
  // Whether this is an object with that "type".
  bool HasType(absl::string_view type) const;

  absl::Status ExpectObject() const;
  // That this is an object with a "type" that is declared for this part of a file, such as
  // "normalizer", and checks its keys (json_settings.h).
  absl::Status ExpectType(absl::string_view part) const;
  // Checks the keys of an object against a table, such as "model.BPE".
  absl::Status CheckKeys(absl::string_view table) const;

  // INVALID_ARGUMENT: "path: message".
  absl::Status Error(absl::string_view message) const;
  // INVALID_ARGUMENT: "path: found …, expected …".
  absl::Status Unexpected(absl::string_view expected) const;

 private:
  JsonNode(const nlohmann::json* value, std::string path) : value_(value), path_(std::move(path)) {}

  absl::Status Flatten(const std::string& key, int depth, std::vector<JsonNode>& flat) const;

  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace terminus::tokenizer
