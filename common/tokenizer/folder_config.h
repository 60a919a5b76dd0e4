#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/tokenizer/class_document.h"
#include "common/tokenizer/reference_class.h"

// tokenizer_config.json of a model folder, apart from the tokens that it names.
namespace terminus::tokenizer {

enum class Side { kRight, kLeft };

struct FolderConfig {
  Side padding_side = Side::kRight;
  Side truncation_side = Side::kRight;
  // Tokens of an input at most, those of the template included; nothing where no file says so.
  absl::optional<int64_t> model_max_length;
  // The inputs that the tokenizer makes for a model: "input_ids", "attention_mask" and others.
  std::vector<std::string> model_input_names;
  // Special tokens in a text are text.
  bool split_special_tokens = false;
  ClassOptions class_options;
};

struct FolderConfigSource {
  std::string path;  // for messages
  // The file; null if there is none.
  const nlohmann::ordered_json& config;
  // tokenizer.json, where the class reads it.
  const nlohmann::json& document;
  ReferenceClass reference_class = ReferenceClass::kBackend;
  // Whether ids are turned into text.
  bool decodes = false;
};

// INVALID_ARGUMENT names the file and the key.
absl::StatusOr<FolderConfig> ReadFolderConfig(const FolderConfigSource& source);

}  // namespace terminus::tokenizer
