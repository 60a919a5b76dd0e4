#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// A kind of text encoder, by the "model_type" of its config.json.
struct TextFamily {
  absl::string_view model_type;
  // Reads the encoder folder's config.json and what lies beside it. INVALID_ARGUMENT names each
  // value that is not supported.
  absl::StatusOr<TextPlan> (*read)(const SentenceConfig& sentence);
};

const std::vector<TextFamily>& TextFamilies();

// Of the family that the encoder folder's config.json names; INVALID_ARGUMENT lists them all when
// it is none.
absl::StatusOr<TextPlan> ReadTextPlan(const SentenceConfig& sentence);

}  // namespace terminus::models::text
