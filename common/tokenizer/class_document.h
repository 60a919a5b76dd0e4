#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "common/tokenizer/reference_class.h"

namespace terminus::tokenizer {

// Arguments of tokenizer classes that change what they compute. Each class reads some of them.
struct ClassOptions {
  bool do_lower_case = true;
  bool tokenize_chinese_chars = true;
  absl::optional<bool> strip_accents;  // as do_lower_case without a value
  bool add_prefix_space = false;
  bool legacy = true;
  std::string unk_token;
};

// Changes a tokenizer.json into what a class of transformers makes of it: most classes take its
// vocabulary, and build the other sections from their arguments. INVALID_ARGUMENT when the file's
// model is not of the class's kind.
absl::Status RebuildDocument(ReferenceClass reference_class, const ClassOptions& options,
                             nlohmann::json& document);

// The sections "normalizer" and "pre_tokenizer" of a document, without the keys that have no effect
// on ids, for a comparison.
nlohmann::json StagesOf(const nlohmann::json& document);

// Puts "Lowercase" in front of the normalizer, unless that is or has such a stage.
void LowerFirst(nlohmann::json& document);

}  // namespace terminus::tokenizer
