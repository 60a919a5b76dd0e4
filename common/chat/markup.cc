#include "common/chat/markup.h"

#include <algorithm>

#include "absl/strings/string_view.h"

namespace terminus::chat {

Text Escaped(const Text& text) {
  constexpr absl::string_view kSpecial = "&<>'\"";
  constexpr absl::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  TextBuilder builder;
  const absl::string_view bytes = text.bytes;
  for (size_t at = 0; at < bytes.size();) {
    const size_t special = std::min(bytes.find_first_of(kSpecial, at), bytes.size());
    builder.AppendSlice(text, at, special);
    at = special;
    if (at == bytes.size()) break;
    const absl::string_view entity = kEntities[kSpecial.find(bytes[at])];
    const Text one = Slice(text, at, at + 1);
    if (one.marks.empty()) {
      builder.Append(entity);
    } else {
      builder.AppendMarked(entity);
    }
    ++at;
  }
  return builder.Take();
}

}  // namespace terminus::chat
