#pragma once

#include "absl/status/statusor.h"
#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// The text tower of a CLIPModel folder, or of a CLIPTextModelWithProjection's.
absl::StatusOr<TextPlan> ReadClipTextPlan(const SentenceConfig& sentence);

}  // namespace terminus::models::text
