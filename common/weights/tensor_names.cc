#include "common/weights/tensor_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace terminus::weights {
namespace {

// Written by TensorFlow's BERT, and by converters after it.
constexpr Spelling kLegacy[] = {{"LayerNorm.gamma", "LayerNorm.weight"},
                                {"LayerNorm.beta", "LayerNorm.bias"}};

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// Whether a part of a name that ends with `last` and is followed by `next` ends a word.
bool EndsWord(char last, char next) { return !IsWordCharacter(last) || !IsWordCharacter(next); }

void Respell(const Spelling& spelling, std::string* name) {
  const std::string part(spelling.file);
  for (size_t at = name->find(part); at != std::string::npos; at = name->find(part, at + 1)) {
    if (spelling.at_start && at > 0) {
      return;
    }
    const size_t end = at + part.size();
    if (end == name->size() || EndsWord(part.back(), (*name)[end])) {
      name->replace(at, part.size(), std::string(spelling.model));
      return;
    }
  }
}

}  // namespace

std::string ModelName(absl::string_view name, const TensorNames& names) {
  for (const absl::string_view prefix : names.prefixes) {
    absl::ConsumePrefix(&name, prefix);
  }
  std::string spelt(name);
  for (const Spelling& spelling : names.spellings) {
    Respell(spelling, &spelt);
  }
  for (const Spelling& spelling : kLegacy) {
    Respell(spelling, &spelt);
  }
  return spelt;
}

}  // namespace terminus::weights
