#include "common/tokenizer/metaspace.h"

#include "absl/strings/match.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {

absl::StatusOr<Metaspace::Options> Metaspace::OptionsFromJson(const JsonNode& section) {
  Options options;
  TERMINUS_ASSIGN_OR_RETURN(options.replacement, section.Member("replacement").Character());
  const JsonNode scheme = section.Member("prepend_scheme");
  TERMINUS_ASSIGN_OR_RETURN(const std::string name, section.StringOr("prepend_scheme", "always"));
  if (name == "always") {
    options.prepend = Prepend::kAlways;
  } else if (name == "first") {
    options.prepend = Prepend::kFirst;
  } else if (name == "never") {
    options.prepend = Prepend::kNever;
  } else {
    return scheme.Unexpected("always, first or never");
  }
  TERMINUS_ASSIGN_OR_RETURN(const bool add_prefix_space, section.BoolOr("add_prefix_space", true));
  if (!add_prefix_space && options.prepend != Prepend::kNever) {
    return scheme.Unexpected("never, as add_prefix_space is false");
  }
  TERMINUS_ASSIGN_OR_RETURN(options.split, section.BoolOr("split", true));
  return options;
}

void Metaspace::Split(absl::string_view text, WordList& words) const {
  const absl::string_view mark = options_.replacement;
  const bool prepends = (options_.prepend == Prepend::kAlways ||
                         (options_.prepend == Prepend::kFirst && text.data() == words.beginning)) &&
                        text[0] != ' ' && !absl::StartsWith(text, mark);
  if (prepends || text.find(' ') != absl::string_view::npos) {
    std::string marked;
    marked.reserve(text.size() + 2 * mark.size());
    if (prepends) marked.append(mark.data(), mark.size());
    for (const char c : text) {
      if (c == ' ') {
        marked.append(mark.data(), mark.size());
      } else {
        marked.push_back(c);
      }
    }
    text = words.Keep(text, std::move(marked));
  }
  size_t begin = 0;
  while (options_.split) {
    const size_t next = text.find(mark, begin + 1);
    if (next == absl::string_view::npos) break;
    words.list.push_back(text.substr(begin, next - begin));
    begin = next;
  }
  words.list.push_back(text.substr(begin));
}

}  // namespace terminus::tokenizer
