#pragma once

#include "absl/status/statusor.h"
#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// The text tower of a SiglipModel folder, SigLIP 2's of a fixed resolution among them, or of a
// SiglipTextModel's. It is trained on texts padded to their greatest length without a mask, and its
// vector is the last token's, so texts are padded here too: length and token are those that
// transformers takes from tokenizer_config.json.
absl::StatusOr<TextPlan> ReadSiglipTextPlan(const SentenceConfig& sentence);

}  // namespace terminus::models::text
