#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/decoder_chain.h"

namespace terminus::tokenizer {

class JsonNode;

// What becomes of each token on its own when it is decoded. Immutable.
class TokenStage {
 public:
  virtual ~TokenStage() = default;
  // `first`: it is the first token of the text.
  virtual std::string Apply(std::string token, bool first) const = 0;
};

// Tokens → text, as the section "decoder" asks for: stages that change tokens one by one; then
// tokens that stand for bytes become characters, and the rest is joined. Immutable.
class Decoder {
 public:
  // INVALID_ARGUMENT names what is supported. Null puts blanks between tokens.
  static absl::StatusOr<std::unique_ptr<const Decoder>> FromJson(const JsonNode& section);

  // Whether a token always adds the same bytes to a text, whichever tokens follow. BytesOf returns
  // these bytes.
  bool adds_bytes() const { return chain_.empty() && word_suffix_.empty(); }

  // The bytes that a token adds to a text, before the text loses stripped(). They need not be whole
  // characters. Requires: adds_bytes().
  std::string BytesOf(absl::string_view token, bool first) const;

  // The beginning of a text is dropped as far as it is a prefix of this.
  std::string stripped() const;

  // A text in the making. Not thread-safe; the decoder must outlive it.
  class Stream {
   public:
    // `whole`: of bytes that turn out not to be UTF-8, all in a row are replaced, as the library
    // does it, so that the text of a row comes with its end. Otherwise characters come once they
    // are complete, and what is replaced are the bytes from the first on that cannot belong to one.
    // This makes a difference for tokens <0x00> to <0xFF> only.
    Stream(const Decoder* decoder, bool whole) : decoder_(*decoder), whole_(whole) {}

    // Appends what is certain once a token has come, always whole characters.
    void Push(absl::string_view token, std::string& out);
    // Appends what is left. Ready for another text.
    void Flush(std::string& out);

   private:
    void PushStaged(std::string text, std::string& out);
    void PushByte(char byte, std::string& out);
    void EndBytes(std::string& out);
    void Emit(absl::string_view text, std::string& out);

    const Decoder& decoder_;
    const bool whole_;
    std::vector<std::string> tokens_;  // so far, where the text comes at the end
    bool first_ = true;
    absl::optional<std::string> held_;  // the last token, for what depends on being it
    std::string bytes_;                 // not yet characters
    bool broken_ = false;               // the bytes in this row are replaced one by one
    size_t stripped_ = 0;               // characters, at the beginning of the text
    bool begun_ = false;                // nothing more is stripped
  };

 private:
  friend class DecoderReader;

  // The token behind all stages.
  std::string Staged(std::string token, bool first) const;

  // All stages, where they do not fit a stream; then the rest is not used.
  DecoderChain chain_;
  std::vector<std::unique_ptr<const TokenStage>> stages_;
  // Replaced by a blank in all tokens but the last, where it vanishes; empty for none.
  std::string word_suffix_;
  bool byte_level_ = false;     // tokens are bytes, written as byte_level.h says
  bool byte_fallback_ = false;  // tokens such as <0x0A> are bytes
  // How many of this character are dropped at most from the beginning of the text.
  std::string strip_;
  size_t strip_count_ = 0;
};

}  // namespace terminus::tokenizer
