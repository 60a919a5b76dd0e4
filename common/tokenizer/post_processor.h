#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace terminus::tokenizer {

class JsonNode;

// Last stage: the special tokens that a single text gets around it, such as [CLS] and [SEP].
struct PostProcessor {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
  // Whether a text that ends in the token `after` already does not get it once more.
  bool once = false;

  size_t added() const { return before.size() + after.size(); }
};

// What the section "post_processor" asks for: TemplateProcessing (its "single"), BertProcessing,
// RobertaProcessing, or nothing. INVALID_ARGUMENT names what is supported.
absl::StatusOr<PostProcessor> MakePostProcessor(const JsonNode& section);

}  // namespace terminus::tokenizer
