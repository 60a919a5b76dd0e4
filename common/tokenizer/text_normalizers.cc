#include "common/tokenizer/text_normalizers.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/unicode.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// What "Nmt" drops.
bool IsNmtControl(char32_t c) {
  return (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
         c == 0x8f || c == 0x9f;
}

// What "Nmt" makes a blank.
bool IsNmtBlank(char32_t c) {
  return c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
         (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff ||
         c == 0xfffd;
}

}  // namespace

void LowercaseNormalizer::Normalize(absl::string_view text, std::string& out) const {
  std::u32string lowered;
  for (size_t at = 0; at < text.size();) {
    if (IsAscii(text[at])) {
      out.push_back(absl::ascii_tolower(static_cast<unsigned char>(text[at++])));
      continue;
    }
    lowered.clear();
    AppendLower(NextCodePoint(text, at), lowered);
    for (const char32_t c : lowered) AppendUtf8(c, out);
  }
}

void StripNormalizer::Normalize(absl::string_view text, std::string& out) const {
  const auto is_space = [](char32_t c) { return (ClassOf(c) & kSpace) != 0; };
  while (left_ && !text.empty()) {
    size_t next = 0;
    if (!is_space(NextCodePoint(text, next))) break;
    text.remove_prefix(next);
  }
  while (right_ && !text.empty() && is_space(PreviousCodePoint(text, text.size()))) {
    size_t last = text.size() - 1;
    while ((static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    text = text.substr(0, last);
  }
  out.append(text.data(), text.size());
}

void StripAccentsNormalizer::Normalize(absl::string_view text, std::string& out) const {
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    if (!IsCombiningMark(NextCodePoint(text, at))) out.append(text.data() + from, at - from);
  }
}

void NmtNormalizer::Normalize(absl::string_view text, std::string& out) const {
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = NextCodePoint(text, at);
    if (IsNmtBlank(c)) {
      out.push_back(' ');
    } else if (!IsNmtControl(c)) {
      out.append(text.data() + from, at - from);
    }
  }
}

void PrependNormalizer::Normalize(absl::string_view text, std::string& out) const {
  if (!text.empty()) out += prefix_;
  out.append(text.data(), text.size());
}

void ByteLevelNormalizer::Normalize(absl::string_view text, std::string& out) const {
  for (const char byte : text) out += CharacterOfByte(static_cast<unsigned char>(byte));
}

absl::StatusOr<std::unique_ptr<const ReplaceNormalizer>> ReplaceNormalizer::FromJson(
    const JsonNode& section) {
  auto replace = std::make_unique<ReplaceNormalizer>();
  TERMINUS_ASSIGN_OR_RETURN(replace->content_, section.Member("content").String());
  const JsonNode node = section.Member("pattern");
  TERMINUS_RETURN_IF_ERROR(node.ExpectObject());
  const JsonNode regex = node.Member("Regex");
  if (regex.IsNull()) {
    TERMINUS_ASSIGN_OR_RETURN(replace->text_, node.Member("String").String());
    if (replace->text_.empty()) return node.Member("String").Unexpected("text that is not empty");
    return replace;
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string pattern, regex.String());
  auto compiled = Regex::Create(pattern);
  if (!compiled.ok()) return node.Error(compiled.status().message());
  replace->pattern_ = *std::move(compiled);
  return replace;
}

void ReplaceNormalizer::Normalize(absl::string_view text, std::string& out) const {
  if (pattern_ != nullptr) {
    std::vector<SplitPiece> pieces;
    pattern_->Find(text, pieces);
    for (const SplitPiece& piece : pieces) {
      const absl::string_view part = piece.is_match ? absl::string_view(content_) : piece.text;
      out.append(part.data(), part.size());
    }
    return;
  }
  size_t done = 0;
  for (size_t at; (at = text.find(text_, done)) != absl::string_view::npos;) {
    out.append(text.data() + done, at - done);
    out += content_;
    done = at + text_.size();
  }
  out.append(text.data() + done, text.size() - done);
}

// What stands in the place of several characters counts as coming from the last of them.
bool ReplaceNormalizer::KeepsBeginning() const {
  size_t first = 0;
  if (!text_.empty()) NextCodePoint(text_, first);
  return pattern_ == nullptr && first == text_.size() && !content_.empty();
}

}  // namespace terminus::tokenizer
