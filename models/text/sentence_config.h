#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace terminus::models::text {

// How token vectors become one vector.
enum class Pooling {
  kMean,
  kCls,   // The first token's.
  kLast,  // The last token's.
};

// What a sentence-transformers folder says around the encoder itself.
struct SentenceConfig {
  // Folder with the encoder's config.json, weights and tokenizer.json.
  std::string encoder_folder;
  Pooling pooling = Pooling::kMean;
  // Whether the folder says so itself.
  bool has_pooling = false;
  // Scale the pooled vector to length 1.
  bool normalize = false;
  // Longest text in tokens, special tokens included; 0: as long as the encoder has positions.
  int max_tokens = 0;
  // Text to put in front, by name.
  std::map<std::string, std::string> prompts;
};

// Reads modules.json and what it points to. A folder without modules.json is a plain encoder:
// mean pooling, no normalisation, as sentence-transformers takes it. INVALID_ARGUMENT names what
// is not supported and what is.
absl::StatusOr<SentenceConfig> ReadSentenceConfig(const std::string& folder);

}  // namespace terminus::models::text
