#include "common/tokenizer/charsmap.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/grapheme.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// Clusters of this many bytes and more are taken character by character.
constexpr size_t kLongCluster = 6;

constexpr std::array<char, 128> kAscii = [] {
  std::array<char, 128> characters = {};
  for (int c = 0; c < 128; ++c) characters[c] = static_cast<char>(c);
  return characters;
}();

uint32_t LittleEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The fields of a unit of the double array.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7fffffff; }
uint32_t Label(uint32_t unit) { return unit & 0x800000ff; }
uint32_t Offset(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> Charsmap::FromJson(const JsonNode& section) {
  const JsonNode node = section.Member("precompiled_charsmap");
  TERMINUS_ASSIGN_OR_RETURN(const std::string encoded, node.String());
  std::string bytes;
  if (!absl::Base64Unescape(encoded, &bytes)) return node.Error("this is not base64");
  // The size of the double array, itself, and the replacements.
  absl::string_view rest = bytes;
  constexpr size_t kUnit = sizeof(uint32_t);
  const uint32_t size = rest.size() < kUnit ? 0 : LittleEndian(rest);
  if (size == 0 || size % kUnit != 0 || size > rest.size() - kUnit) {
    return node.Error("its double array is cut off or empty");
  }
  rest.remove_prefix(kUnit);
  std::vector<uint32_t> units(size / kUnit);
  for (uint32_t& unit : units) {
    unit = LittleEndian(rest);
    rest.remove_prefix(kUnit);
  }
  if (!IsValidUtf8(rest)) return node.Error("its replacements are not UTF-8");
  return std::unique_ptr<const Normalizer>(new Charsmap(std::move(units), std::string(rest)));
}

Charsmap::Charsmap(std::vector<uint32_t> units, std::string replacements)
    : units_(std::move(units)), replacements_(std::move(replacements)) {
  for (size_t c = 0; c < ascii_.size(); ++c) {
    const absl::string_view itself(&kAscii[c], 1);
    ascii_[c] = Find(itself).value_or(itself);
  }
}

absl::optional<absl::string_view> Charsmap::Find(absl::string_view text) const {
  uint32_t node = Offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || Label(units_[node]) != byte) return absl::nullopt;
    const uint32_t unit = units_[node];
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    const uint32_t begin = node < units_.size() ? Value(units_[node]) : 0xffffffff;
    // Of a damaged file.
    if (begin >= replacements_.size() || IsContinuation(replacements_[begin])) return absl::nullopt;
    const size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
    return absl::string_view(replacements_).substr(begin, end - begin);
  }
  return absl::nullopt;
}

void Charsmap::Normalize(absl::string_view text, std::string& out) const {
  const auto is_ascii = [&](size_t at) {
    return at == text.size() || static_cast<unsigned char>(text[at]) < 0x80;
  };
  const auto append = [&](absl::string_view part) { out.append(part.data(), part.size()); };
  for (size_t at = 0; at < text.size();) {
    if (is_ascii(at) && is_ascii(at + 1) && text[at] != '\r') {
      append(ascii_[static_cast<unsigned char>(text[at++])]);
      continue;
    }
    const size_t end = GraphemeEnd(text, at);
    if (end - at < kLongCluster) {
      if (const auto replacement = Find(text.substr(at, end - at)); replacement) {
        append(*replacement);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const size_t from = at;
      NextCodePoint(text, at);
      const absl::string_view character = text.substr(from, at - from);
      append(Find(character).value_or(character));
    }
  }
}

}  // namespace terminus::tokenizer
