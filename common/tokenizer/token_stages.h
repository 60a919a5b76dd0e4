#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/decoder.h"

namespace terminus::tokenizer {

// The stage that a section of "decoder" stands for, if it looks at one token at a time:
// "Metaspace", "Replace", "Strip", "WordPiece". Null for another type.
absl::StatusOr<std::unique_ptr<const TokenStage>> MakeTokenStage(const JsonNode& section);

// A blank in front of all but the first.
std::unique_ptr<const TokenStage> MakeBlankStage();

// The options of "Strip": `content`, one character, is dropped up to `start` times at the
// beginning, and up to `stop` times at the end.
struct StripOptions {
  std::string content;
  size_t start = 0;
  size_t stop = 0;
};
absl::StatusOr<StripOptions> StripOptionsFromJson(const JsonNode& section);

// English text without the blanks that stand in front of punctuation and of endings.
std::string CleanUpBlanks(std::string text);

// The byte that a token such as <0x0A> stands for.
absl::optional<char> ByteOfToken(absl::string_view token);

}  // namespace terminus::tokenizer
