#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/sampling/rules.h"

// What a model folder says about how its answers are generated. No torch in this header.
namespace terminus::models::decoder {

struct GenerationSettings {
  // Where a request sets nothing else.
  bool sample = false;  // False: always the likeliest token.
  float temperature = 1;
  uint32_t top_k = 50;  // 0: all.
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  // Of the answer alone, or of prompt and answer; 0: not set. max_new_tokens counts first.
  int max_new_tokens = 0;
  int max_length = 0;
  std::vector<std::string> stop_strings;

  // Any of them ends an answer.
  std::vector<int32_t> eos_token_ids;
  sampling::LogitRules rules;
};

// Reads FOLDER/generation_config.json; in a folder without it, the same keys of FOLDER/config.json.
// INVALID_ARGUMENT names each key whose value is out of bounds, or asks for what is not computed.
// Warns of settings that never take effect.
absl::StatusOr<GenerationSettings> ReadGenerationSettings(const std::string& folder,
                                                          int vocab_size);

}  // namespace terminus::models::decoder
