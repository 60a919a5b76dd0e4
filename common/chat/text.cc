#include "common/chat/text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/tokenizer/python_text.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {

Text Text::FromMessage(std::string all) {
  Text text(std::move(all));
  if (!text.bytes.empty()) text.marks.push_back({0, text.bytes.size()});
  return text;
}

bool Text::ascii() const {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return absl::ascii_isascii(c); });
}

bool Text::uniform() const { return marks.empty() || marks[0] == base::ByteRange{0, bytes.size()}; }

void TextBuilder::Mark(size_t begin, size_t end) {
  if (begin == end) return;
  if (!text_.marks.empty() && text_.marks.back().end == begin) {
    text_.marks.back().end = end;
  } else {
    text_.marks.push_back({begin, end});
  }
}

void TextBuilder::AppendMarked(absl::string_view from_message) {
  const size_t begin = size();
  Append(from_message);
  Mark(begin, size());
}

void TextBuilder::AppendSlice(const Text& text, size_t begin, size_t end) {
  const size_t shift = size();
  Append(absl::string_view(text.bytes).substr(begin, end - begin));
  for (const base::ByteRange& mark : text.marks) {
    const size_t from = std::max(mark.begin, begin);
    const size_t to = std::min(mark.end, end);
    if (from < to) Mark(from - begin + shift, to - begin + shift);
  }
}

Text Slice(const Text& text, size_t begin, size_t end) {
  TextBuilder builder;
  builder.AppendSlice(text, begin, end);
  return builder.Take();
}

Text Concatenate(const Text& left, const Text& right) {
  TextBuilder builder;
  builder.Append(left);
  builder.Append(right);
  return builder.Take();
}

Text Transform(const Text& text, std::string (*apply)(absl::string_view)) {
  Text whole(apply(text.bytes));
  if (text.marks.empty() || whole.bytes.empty()) return whole;
  TextBuilder pieces;
  size_t at = 0;
  const absl::string_view bytes = text.bytes;
  for (const base::ByteRange& mark : text.marks) {
    pieces.Append(apply(bytes.substr(at, mark.begin - at)));
    pieces.AppendMarked(apply(bytes.substr(mark.begin, mark.end - mark.begin)));
    at = mark.end;
  }
  pieces.Append(apply(bytes.substr(at)));
  // A character's neighbours may count, as for the final sigma: then the pieces do not add up.
  if (pieces.text().bytes == whole.bytes) return pieces.Take();
  return Text::FromMessage(std::move(whole.bytes));
}

int64_t CountCharacters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::vector<size_t> CharacterOffsets(absl::string_view text) {
  std::vector<size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size(); tokenizer::NextCodePoint(text, at)) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

bool IsSpace(char32_t c) { return tokenizer::IsPythonSpace(c); }

}  // namespace terminus::chat
