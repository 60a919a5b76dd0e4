#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/byte_range.h"

namespace terminus::chat {

// A Python string: valid UTF-8, and which of its bytes come from the text of messages. Characters
// are code points. Operations on texts keep the marks; where the origin of a byte cannot be told,
// it counts as message text.
struct Text {
  Text() = default;
  explicit Text(std::string all) : bytes(std::move(all)) {}
  static Text FromMessage(std::string all);

  bool ascii() const;
  // All bytes are marked, or none.
  bool uniform() const;

  std::string bytes;
  // Ranges of `bytes` that come from messages: sorted, not empty, apart from each other.
  std::vector<base::ByteRange> marks;
  // markupsafe.Markup: its "+" escapes the other side.
  bool safe = false;
};

// Puts texts together, with their marks.
class TextBuilder {
 public:
  void Append(absl::string_view plain) { text_.bytes.append(plain.data(), plain.size()); }
  void AppendMarked(absl::string_view from_message);
  void Append(const Text& text) { AppendSlice(text, 0, text.bytes.size()); }
  // The bytes [begin, end) of `text`.
  void AppendSlice(const Text& text, size_t begin, size_t end);

  size_t size() const { return text_.bytes.size(); }
  const Text& text() const { return text_; }
  Text Take() { return std::move(text_); }

 private:
  void Mark(size_t begin, size_t end);

  Text text_;
};

// The bytes [begin, end).
Text Slice(const Text& text, size_t begin, size_t end);

Text Concatenate(const Text& left, const Text& right);

// Applies a function that goes character by character, as upper() does.
Text Transform(const Text& text, std::string (*apply)(absl::string_view));

int64_t CountCharacters(absl::string_view text);

// Where each character begins, and the end of the text behind them.
std::vector<size_t> CharacterOffsets(absl::string_view text);

// str.isspace() of one character.
bool IsSpace(char32_t c);

}  // namespace terminus::chat
