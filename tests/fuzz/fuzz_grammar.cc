// The first byte chooses between a JSON schema and a regular expression; the other bytes are its
// source. If it compiles, the target writes an answer from tokens that the grammar allows.
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/grammar/grammar.h"

namespace {

using terminus::grammar::Grammar;
using terminus::grammar::Matcher;
using terminus::grammar::Source;
using terminus::grammar::Vocabulary;

std::shared_ptr<const Vocabulary> MakeVocabulary() {
  std::vector<std::string> bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
  for (const char* token : {"{\"", "\": ", "\"}", "true", "null", "12", "é", ""}) {
    bytes.emplace_back(token);
  }
  const auto end = static_cast<int32_t>(bytes.size()) - 1;
  return *Vocabulary::FromBytes(std::move(bytes), {end});
}

// Follows an answer of the tokens that each step allows. What is allowed is accepted.
void Follow(const std::shared_ptr<const Grammar>& grammar) {
  constexpr int kSteps = 40;
  const Vocabulary& vocabulary = grammar->vocabulary();
  Matcher matcher(grammar);
  std::vector<uint32_t> mask(vocabulary.mask_words());
  for (int step = 0; step < kSteps && !matcher.IsTerminated(); ++step) {
    if (!matcher.FillMask(absl::MakeSpan(mask)).ok()) return;  // A step took too much.
    int32_t last = -1;
    for (int32_t token = 0; token < vocabulary.size(); ++token) {
      if ((mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0) {
        last = token;
        if (token % (step + 2) == 0) break;
      }
    }
    TERMINUS_CHECK(last >= 0 && matcher.Accept(last));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Vocabulary> vocabulary = MakeVocabulary();
  if (size == 0) return 0;
  const Source source = {data[0] == 'r' ? Source::Kind::kRegex : Source::Kind::kJsonSchema,
                         std::string(reinterpret_cast<const char*>(data) + 1, size - 1)};
  const auto grammar = Grammar::Compile(
      source, vocabulary, {.source_bytes = 4 << 10, .compile_time = absl::Seconds(2)});
  if (grammar.ok()) Follow(*grammar);
  return 0;
}
