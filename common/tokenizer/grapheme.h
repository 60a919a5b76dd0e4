#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// Where the extended grapheme cluster that begins at `at` < text.size() ends (Unicode Standard
// Annex 29, without rule GB9c, which joins Indic consonants). `text` is valid UTF-8.
size_t GraphemeEnd(absl::string_view text, size_t at);

}  // namespace terminus::tokenizer
