#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::tokenizer {

// The tokenizer classes of transformers 5 that are computed here. kBackend takes tokenizer.json as
// it stands. The others take its vocabulary and make most other sections anew from the arguments
// in tokenizer_config.json.
enum class ReferenceClass {
  kBackend,
  kBert,
  kClip,
  kGemma,
  kGpt2,
  kLlama,
  kQwen2,
  kSiglip,
  kSiglip2,
  kXlmRoberta,
};

// "BertTokenizer"
absl::string_view NameOf(ReferenceClass reference_class);

// What AutoTokenizer looks at when it chooses a class.
struct ClassEvidence {
  std::string model_type;                      // of config.json; empty without one
  absl::optional<std::string> config_class;    // tokenizer_class of config.json
  absl::optional<std::string> declared_class;  // tokenizer_class of tokenizer_config.json
  // An auto_map of tokenizer_config.json names a class of the folder's own. It is not run.
  bool auto_map = false;
  bool byte_level = false;  // tokenizer.json has "ByteLevel" somewhere
};

// The class that AutoTokenizer takes. INVALID_ARGUMENT names the key and the supported classes.
absl::StatusOr<ReferenceClass> ChooseClass(const ClassEvidence& evidence);

}  // namespace terminus::tokenizer
