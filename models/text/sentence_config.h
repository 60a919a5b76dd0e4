#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/text/dense_config.h"

namespace terminus::models::text {

// How token vectors become one vector.
enum class Pooling {
  kMean,
  kCls,   // The first token's.
  kLast,  // The last token's.
};

// A limit of a text's tokens, special tokens included.
struct TokenLimit {
  int tokens = 0;
  // The key and the file that set it, for people.
  std::string source;
};

// What happens to a pooled vector.
struct SentenceStep {
  enum class Kind {
    kNormalize,  // Scaled to length 1.
    kDense,
  };

  Kind kind = Kind::kNormalize;
  DenseConfig dense = {};
};

// What a sentence-transformers folder says around the encoder itself.
struct SentenceConfig {
  // Folder with the encoder's config.json, weights and tokenizer.json.
  std::string encoder_folder;
  // Whether there is a modules.json.
  bool has_modules = false;
  Pooling pooling = Pooling::kMean;
  // Whether the folder says so itself.
  bool has_pooling = false;
  // In this order, after pooling.
  std::vector<SentenceStep> steps;
  // The limits that the files around the encoder set; its positions are one more, and its
  // tokenizer may have another.
  std::vector<TokenLimit> limits;
  // Texts are lower-cased in front of the tokenizer's own normalizer.
  bool lower_case = false;
  // Text to put in front, by name.
  std::map<std::string, std::string> prompts;
  // The prompt of texts that name none; empty: no prompt.
  std::string default_prompt;

  // The least limit, `positions` of the encoder being one.
  TokenLimit Limit(int positions) const;

  // Elements of the final vector when the pooled one has `pooled`. INVALID_ARGUMENT when a linear
  // map expects another number.
  absl::StatusOr<int> OutputDimension(int pooled) const;
};

// Reads modules.json and what it points to. A folder without modules.json is a plain encoder:
// mean pooling, no normalisation, as sentence-transformers takes it. INVALID_ARGUMENT names what
// is not supported and what is.
absl::StatusOr<SentenceConfig> ReadSentenceConfig(const std::string& folder);

}  // namespace terminus::models::text
