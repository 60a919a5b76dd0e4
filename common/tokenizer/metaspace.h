#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/pre_tokenizer.h"

namespace terminus::tokenizer {

// Blanks written as a visible character, as SentencePiece does (Kudo and Richardson, 2018), which
// also stands in front of the text: "Metaspace" of tokenizer.json.
class Metaspace : public PreTokenizer {
 public:
  enum class Prepend {
    kAlways,  // to each word that this stage is given
    kFirst,   // to the beginning of the whole text
    kNever,
  };
  struct Options {
    std::string replacement = "▁";  // one character
    Prepend prepend = Prepend::kAlways;
    bool split = true;  // a word begins at each
  };

  // What a section of that type says, as pre-tokenizer or decoder.
  static absl::StatusOr<Options> OptionsFromJson(const JsonNode& section);

  explicit Metaspace(Options options) : options_(std::move(options)) {}

  void Split(absl::string_view text, WordList& words) const override;

 private:
  const Options options_;
};

}  // namespace terminus::tokenizer
