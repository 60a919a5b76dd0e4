#include "common/tokenizer/word_piece.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const Model>> WordPiece::FromJson(const JsonNode& section) {
  const JsonNode vocabulary = section.Member("vocab");
  TERMINUS_RETURN_IF_ERROR(vocabulary.ExpectObject());
  std::vector<Trie::Entry> entries;
  int32_t largest_id = 0;
  // nlohmann::json keeps members sorted by their bytes, as the trie wants them.
  for (const auto& [token, value] : vocabulary.value().items()) {
    const JsonNode member = vocabulary.Member(token);
    if (token.empty()) return vocabulary.Error("found an empty token");
    TERMINUS_ASSIGN_OR_RETURN(const int32_t id, member.Index());
    entries.push_back({.key = token, .value = id});
    largest_id = std::max(largest_id, id);
  }
  auto model = std::unique_ptr<WordPiece>(new WordPiece(Trie(entries)));
  model->largest_id_ = largest_id;

  TERMINUS_ASSIGN_OR_RETURN(const std::string unknown, section.StringOr("unk_token", "[UNK]"));
  const auto unknown_id = model->IdOf(unknown);
  if (!unknown_id) {
    return section.Member("unk_token")
        .Error(absl::StrCat("\"", unknown, "\" is not in model.vocab, expected a token of it"));
  }
  model->unknown_id_ = *unknown_id;

  TERMINUS_ASSIGN_OR_RETURN(const std::string prefix,
                            section.StringOr("continuing_subword_prefix", "##"));
  model->continuing_ = model->vocabulary_.Walk(Trie::kRoot, prefix);

  const JsonNode max_characters = section.Member("max_input_chars_per_word");
  model->max_characters_ = 100;
  if (!max_characters.IsNull()) {
    TERMINUS_ASSIGN_OR_RETURN(model->max_characters_, max_characters.Index());
  }
  return model;
}

bool WordPiece::IsTooLong(absl::string_view word) const {
  if (word.size() <= max_characters_) return false;
  const auto characters = std::count_if(word.begin(), word.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
  });
  return static_cast<size_t>(characters) > max_characters_;
}

void WordPiece::Tokenize(absl::string_view word, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  bool known = !IsTooLong(word);
  absl::optional<Trie::Node> from = Trie::kRoot;
  while (known && !word.empty()) {
    const Trie::Match match = from ? vocabulary_.LongestMatch(*from, word) : Trie::Match{};
    known = match.length > 0;
    ids.push_back(match.value);
    word.remove_prefix(match.length);
    from = continuing_;
  }
  if (!known) {
    ids.resize(before);
    ids.push_back(unknown_id_);
  }
}

absl::optional<int32_t> WordPiece::IdOf(absl::string_view token) const {
  const auto node = vocabulary_.Walk(Trie::kRoot, token);
  return node ? vocabulary_.ValueOf(*node) : absl::nullopt;
}

}  // namespace terminus::tokenizer
