#pragma once

#include <memory>

#include "absl/strings/string_view.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {

// The normal form "NFC", "NFD", "NFKC" or "NFKD" of Unicode, of the version that the library
// "tokenizers" has: younger code points are left alone.
std::unique_ptr<const Normalizer> MakeUnicodeForm(absl::string_view name);

}  // namespace terminus::tokenizer
