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
// No place of a replacement.
constexpr uint32_t kNowhere = 0xffffffff;

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

absl::StatusOr<CharsmapRules> CharsmapRules::FromBytes(absl::string_view bytes) {
  // The size of the double array, itself, and the replacements.
  constexpr size_t kUnit = sizeof(uint32_t);
  const uint32_t size = bytes.size() < kUnit ? 0 : LittleEndian(bytes);
  if (size == 0 || size % kUnit != 0 || size > bytes.size() - kUnit) {
    return absl::InvalidArgumentError("its double array is cut off or empty");
  }
  bytes.remove_prefix(kUnit);
  std::vector<uint32_t> units(size / kUnit);
  for (uint32_t& unit : units) {
    unit = LittleEndian(bytes);
    bytes.remove_prefix(kUnit);
  }
  if (!IsValidUtf8(bytes)) return absl::InvalidArgumentError("its replacements are not UTF-8");
  return CharsmapRules(std::move(units), std::string(bytes));
}

template <typename Function>
void CharsmapRules::ForEachRule(absl::string_view text, const Function& on_match) const {
  uint32_t node = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || Label(units_[node]) != byte) return;
    const uint32_t unit = units_[node];
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    if (!on_match(i + 1, node < units_.size() ? Value(units_[node]) : kNowhere)) return;
  }
}

absl::optional<absl::string_view> CharsmapRules::ReplacementAt(uint32_t begin) const {
  if (begin >= replacements_.size() || IsContinuation(replacements_[begin])) return absl::nullopt;
  const size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
  return absl::string_view(replacements_).substr(begin, end - begin);
}

absl::optional<absl::string_view> CharsmapRules::Shortest(absl::string_view text) const {
  absl::optional<absl::string_view> found;
  ForEachRule(text, [&](size_t /*length*/, uint32_t begin) {
    found = ReplacementAt(begin);
    return false;
  });
  return found;
}

absl::optional<CharsmapRules::Match> CharsmapRules::Longest(absl::string_view text) const {
  size_t longest = 0;
  uint32_t place = kNowhere;
  ForEachRule(text, [&](size_t length, uint32_t begin) {
    longest = length;
    place = begin;
    return true;
  });
  const auto replacement = ReplacementAt(place);
  if (!replacement) return absl::nullopt;
  return Match{.length = longest, .replacement = *replacement};
}

absl::StatusOr<std::unique_ptr<const Normalizer>> Charsmap::FromJson(const JsonNode& section) {
  const JsonNode node = section.Member("precompiled_charsmap");
  TERMINUS_ASSIGN_OR_RETURN(const std::string encoded, node.String());
  std::string bytes;
  if (!absl::Base64Unescape(encoded, &bytes)) return node.Error("this is not base64");
  auto rules = CharsmapRules::FromBytes(bytes);
  if (!rules.ok()) return node.Error(rules.status().message());
  return std::unique_ptr<const Normalizer>(new Charsmap(*std::move(rules)));
}

Charsmap::Charsmap(CharsmapRules rules) : rules_(std::move(rules)) {
  for (size_t c = 0; c < ascii_.size(); ++c) {
    const absl::string_view itself(&kAscii[c], 1);
    ascii_[c] = rules_.Shortest(itself).value_or(itself);
  }
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
      if (const auto replacement = rules_.Shortest(text.substr(at, end - at)); replacement) {
        append(*replacement);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const size_t from = at;
      NextCodePoint(text, at);
      const absl::string_view character = text.substr(from, at - from);
      append(rules_.Shortest(character).value_or(character));
    }
  }
}

}  // namespace terminus::tokenizer
