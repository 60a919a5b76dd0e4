// A text under a byte-level tokenizer: the first byte picks how it is cut into words. What is
// encoded and decoded is the text again, whole or id by id, and any ids decode the same both ways.
#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::json;

// A token for each byte, and a few that merges make.
Json Document(const Json& pre_tokenizer) {
  Json vocabulary = Json::object();
  for (int byte = 0, next = 0x100; byte < 256; ++byte) {
    const bool own = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    std::string character;
    AppendUtf8(static_cast<char32_t>(own ? byte : next++), character);
    vocabulary[character] = byte;
  }
  Json merges = Json::array();
  constexpr std::array<std::pair<const char*, const char*>, 7> kMerges = {
      {{"Ġ", "t"}, {"h", "e"}, {"Ġt", "he"}, {"a", "a"}, {"aa", "aa"}, {"Ã", "©"}, {"Ġ", "Ġ"}}};
  for (const auto& [left, right] : kMerges) {
    vocabulary[std::string(left) + right] = vocabulary.size();
    merges.push_back({left, right});
  }
  return {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}},
          {"pre_tokenizer", pre_tokenizer},
          {"decoder", {{"type", "ByteLevel"}}},
          {"added_tokens", {{{"id", 263}, {"content", "<|end|>"}, {"special", true}}}}};
}

std::vector<std::unique_ptr<const Tokenizer>> MakeTokenizers() {
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const Json pattern =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  std::vector<std::unique_ptr<const Tokenizer>> tokenizers;
  for (const Json& pre_tokenizer :
       {byte_level, Json{{"type", "ByteLevel"}, {"add_prefix_space", false}},
        Json{{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}},
        Json{{"type", "Sequence"}, {"pretokenizers", {digits, byte_level}}}}) {
    auto tokenizer = Tokenizer::FromJson(Document(pre_tokenizer).dump());
    TERMINUS_CHECK(tokenizer.ok());
    tokenizers.push_back(*std::move(tokenizer));
  }
  return tokenizers;
}

std::string DecodeOneByOne(const Tokenizer& tokenizer, absl::Span<const int32_t> ids) {
  IncrementalDecoder decoder(&tokenizer, /*skip_special_tokens=*/false);
  std::string text;
  for (const int32_t id : ids) {
    const auto piece = decoder.Push(id);
    TERMINUS_CHECK(piece.ok());
    TERMINUS_CHECK(IsValidUtf8(*piece));
    text += *piece;
  }
  return text + decoder.Flush();
}

void Run(uint8_t choice, absl::string_view text) {
  static const auto tokenizers = MakeTokenizers();
  const Tokenizer& tokenizer = *tokenizers[choice % tokenizers.size()];
  // Any bytes as ids: the vocabulary begins with the 256 bytes.
  const std::vector<int32_t> bytes(reinterpret_cast<const uint8_t*>(text.data()),
                                   reinterpret_cast<const uint8_t*>(text.data()) + text.size());
  const auto whole = tokenizer.Decode(bytes, /*skip_special_tokens=*/false);
  TERMINUS_CHECK(whole.ok());
  TERMINUS_CHECK(*whole == DecodeOneByOne(tokenizer, bytes));

  const auto encoding = tokenizer.Encode(text);
  TERMINUS_CHECK(encoding.ok() == IsValidUtf8(text));
  if (!encoding.ok()) return;
  TERMINUS_CHECK(*tokenizer.Decode(encoding->ids, /*skip_special_tokens=*/false) == text);
  TERMINUS_CHECK(DecodeOneByOne(tokenizer, encoding->ids) == text);
}

}  // namespace
}  // namespace terminus::tokenizer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) {
    terminus::tokenizer::Run(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  }
  return 0;
}
