#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::tools::verify {

// The JSON files of a model's folder, as far as they can be read: a file that is missing, or is no
// JSON, is null, and so is a key that is missing. For what is told about a folder, not for loading.
class ModelFiles {
 public:
  explicit ModelFiles(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string PathOf(absl::string_view file) const;
  bool Has(absl::string_view file) const;

  nlohmann::json Read(absl::string_view file) const;

  // The folder that config.json and the weights lie in: of a sentence-transformers folder the path
  // of its first module, where that lies inside; else the folder itself.
  std::string EncoderFolder() const;

 private:
  std::string folder_;
};

// The value of a key; null where `json` is no object or has no such key.
nlohmann::json At(const nlohmann::json& json, absl::string_view key);

// "" where it is no string.
std::string StringAt(const nlohmann::json& json, absl::string_view key);

// Nothing where it is no whole number of 64 bits.
absl::optional<int64_t> IntAt(const nlohmann::json& json, absl::string_view key);

}  // namespace terminus::tools::verify
