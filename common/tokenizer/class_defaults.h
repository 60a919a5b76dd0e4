#pragma once

#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/reference_class.h"
#include "common/tokenizer/tokenizer.h"

// What tokenizer classes of transformers do where a folder's files say nothing.
namespace terminus::tokenizer {

// Named tokens that a class has where no file names them, as pairs of a name and a token. An empty
// token is none.
using DefaultTokens = std::vector<std::pair<absl::string_view, absl::string_view>>;

DefaultTokens DefaultTokensOf(ReferenceClass reference_class);

// Whether padding goes to the left.
bool PadsLeft(ReferenceClass reference_class);

// Whether a class takes the tokenizer.json with its added tokens, or makes another.
bool KeepsFile(ReferenceClass reference_class);

// The names of the tokens that a class puts around each text, where it does not leave that to the
// file.
absl::optional<TokensAround> NamesAround(ReferenceClass reference_class);

}  // namespace terminus::tokenizer
