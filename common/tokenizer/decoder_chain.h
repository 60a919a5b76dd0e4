#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace terminus::tokenizer {

class JsonNode;

// What becomes of all tokens of a text together, as a decoder of the library does it. Immutable.
class ChainStage {
 public:
  virtual ~ChainStage() = default;
  virtual void Apply(std::vector<std::string>& tokens) const = 0;
};

// Stages one behind the other; what they leave is joined.
using DecoderChain = std::vector<std::unique_ptr<const ChainStage>>;

// The stages of a section "decoder", of whatever types in whatever order. INVALID_ARGUMENT names
// the part that is not supported.
absl::StatusOr<DecoderChain> MakeDecoderChain(const JsonNode& section);

// The text of tokens.
std::string RunChain(const DecoderChain& chain, std::vector<std::string> tokens);

// The characters that tokens such as <0x0A> in a row stand for; each byte is U+FFFD where they are
// not UTF-8.
std::string TextOfBytes(const std::string& bytes);

}  // namespace terminus::tokenizer
