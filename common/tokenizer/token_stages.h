#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tokenizer/decoder.h"

namespace terminus::tokenizer {

// The stage that a section of "decoder" stands for, if it looks at one token at a time:
// "Metaspace", "Replace", "Strip", "WordPiece". Null for another type.
absl::StatusOr<std::unique_ptr<const TokenStage>> MakeTokenStage(const JsonNode& section);

// A blank in front of all but the first.
std::unique_ptr<const TokenStage> MakeBlankStage();

// The options of "Strip": up to `count` times `content`, one character.
struct StripOptions {
  std::string content;
  size_t count = 0;
};
absl::StatusOr<StripOptions> StripOptionsFromJson(const JsonNode& section);

}  // namespace terminus::tokenizer
