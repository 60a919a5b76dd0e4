#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace terminus::tokenizer {

// A token that is found in the text as it stands, before the model sees it.
struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space behind it along
};

// Finds added tokens: of those that begin first, the longest. Immutable once filled.
class AddedTokens {
 public:
  void Add(AddedToken token);

  // Calls one of the two for each part of valid UTF-8, in its order; parts of text are not empty.
  void Split(absl::string_view text, absl::FunctionRef<void(absl::string_view)> on_text,
             absl::FunctionRef<void(int32_t)> on_token) const;

 private:
  // The longest token at the beginning of `text`; null when there is none.
  const AddedToken* TokenAt(absl::string_view text) const;

  // By first byte, the longest content first.
  std::array<std::vector<AddedToken>, 256> tokens_;
  bool empty_ = true;
};

}  // namespace terminus::tokenizer
