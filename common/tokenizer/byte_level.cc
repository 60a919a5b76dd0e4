#include "common/tokenizer/byte_level.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// Bytes that stand for themselves: printable Latin-1. The others follow from U+0100 on.
bool IsOwnCharacter(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr char32_t kCharacters = 0x100 + 68;

// Byte of each character below kCharacters; -1 for none.
std::array<int16_t, kCharacters> MakeByteOfCharacter() {
  std::array<int16_t, kCharacters> bytes;
  bytes.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    bytes[IsOwnCharacter(byte) ? static_cast<char32_t>(byte) : next++] = static_cast<int16_t>(byte);
  }
  return bytes;
}

constexpr uint8_t kAny = kLetter | kNumber | kSpace;

// Where a run of characters whose class, under kAny, is `wanted` ends.
size_t RunEnd(const CodePointTable<uint8_t>& classes, absl::string_view text, size_t at,
              uint8_t wanted) {
  while (at < text.size()) {
    size_t next = at;
    if ((classes[NextCodePoint(text, next)] & kAny) != wanted) {
      break;
    }
    at = next;
  }
  return at;
}

// The length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning of `text`; 0 for none.
size_t ContractionLength(absl::string_view text) {
  for (const char* ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (absl::StartsWith(text, ending)) {
      return absl::string_view(ending).size();
    }
  }
  return 0;
}

// Where the word that begins at `at` ends.
size_t WordEnd(const CodePointTable<uint8_t>& classes, absl::string_view text, size_t at) {
  if (text[at] == '\'') {
    if (const size_t length = ContractionLength(text.substr(at)); length > 0) {
      return at + length;
    }
  }
  const size_t body = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
  size_t behind = body;
  const uint8_t code_class = classes[NextCodePoint(text, behind)] & kAny;
  if (code_class != kSpace) {
    return RunEnd(classes, text, behind, code_class);
  }
  const size_t end = RunEnd(classes, text, at, kSpace);
  if (end == text.size()) {
    return end;
  }
  // The last of several spaces goes with the word that follows.
  size_t last = end - 1;
  while ((static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
  return last > at ? last : end;
}

}  // namespace

absl::optional<std::string> BytesOfByteLevel(absl::string_view token) {
  static const std::array<int16_t, kCharacters> bytes = MakeByteOfCharacter();
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const char32_t c = NextCodePoint(token, at);
    if (c >= kCharacters || bytes[c] < 0) {
      return absl::nullopt;
    }
    out.push_back(static_cast<char>(bytes[c]));
  }
  return out;
}

const std::string& CharacterOfByte(unsigned char byte) {
  static const auto characters = [] {
    std::array<std::string, 256> made;
    const std::array<int16_t, kCharacters> bytes = MakeByteOfCharacter();
    for (char32_t c = 0; c < kCharacters; ++c) {
      if (bytes[c] >= 0) AppendUtf8(c, made[bytes[c]]);
    }
    return made;
  }();
  return characters[byte];
}

void ByteLevelPreTokenizer::Split(absl::string_view text, WordList& words) const {
  if (options_.add_prefix_space && text[0] != ' ') {
    text = words.Keep(text, absl::StrCat(" ", text));
  }
  if (!options_.use_regex) {
    words.list.push_back(text);
    return;
  }
  const CodePointTable<uint8_t>& classes = Classes();
  for (size_t at = 0; at < text.size();) {
    const size_t end = WordEnd(classes, text, at);
    words.list.push_back(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace terminus::tokenizer
