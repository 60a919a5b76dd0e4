#include "common/tokenizer/bpe.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();

// Past this many tokens a heap finds the next merge faster than a look at all of them.
constexpr size_t kShortWord = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<const Model>> Bpe::FromJson(const JsonNode& section,
                                                           bool byte_level) {
  auto model = std::make_unique<Bpe>();
  model->byte_level_ = byte_level;
  TERMINUS_RETURN_IF_ERROR(model->ReadOptions(section));
  TERMINUS_RETURN_IF_ERROR(model->ReadVocabulary(section.Member("vocab")));
  TERMINUS_RETURN_IF_ERROR(model->ReadMerges(section.Member("merges")));
  TERMINUS_ASSIGN_OR_RETURN(const std::string unknown, section.StringOr("unk_token", ""));
  if (!unknown.empty()) {
    model->unknown_id_ = model->IdOf(unknown);
    if (!model->unknown_id_) {
      return section.Member("unk_token")
          .Error(absl::StrCat("\"", unknown, "\" is not in model.vocab, expected a token of it"));
    }
  }
  model->IndexCharacters();
  return model;
}

absl::Status Bpe::ReadOptions(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(prefix_, section.StringOr("continuing_subword_prefix", ""));
  TERMINUS_ASSIGN_OR_RETURN(suffix_, section.StringOr("end_of_word_suffix", ""));
  TERMINUS_ASSIGN_OR_RETURN(ignore_merges_, section.BoolOr("ignore_merges", false));
  TERMINUS_ASSIGN_OR_RETURN(byte_fallback_, section.BoolOr("byte_fallback", false));
  TERMINUS_ASSIGN_OR_RETURN(fuse_unknown_, section.BoolOr("fuse_unk", false));
  return absl::OkStatus();
}

absl::Status Bpe::ReadVocabulary(const JsonNode& section) {
  TERMINUS_RETURN_IF_ERROR(section.ExpectObject());
  vocabulary_.reserve(section.value().size());
  for (const auto& [token, value] : section.value().items()) {
    TERMINUS_ASSIGN_OR_RETURN(const int32_t id, section.Member(token).Index());
    vocabulary_.emplace(token, id);
    largest_id_ = std::max(largest_id_, id);
    if (!byte_level_ || !ignore_merges_) continue;
    // Tokens that were added from outside may have other characters; no word leads to them.
    if (absl::optional<std::string> bytes = BytesOfByteLevel(token); bytes) {
      by_bytes_.emplace(*std::move(bytes), id);
    }
  }
  return absl::OkStatus();
}

std::string Bpe::Written(absl::string_view character, int place) const {
  return absl::StrCat((place & kLater) != 0 ? prefix_ : "", character,
                      (place & kLast) != 0 ? suffix_ : "");
}

void Bpe::IndexCharacters() {
  for (int byte = 0; byte < 256; ++byte) {
    for (int place = 0; place < kPlaces; ++place) {
      const char c = static_cast<char>(byte);
      // Without byte level, ASCII; other characters are looked for in the vocabulary.
      const absl::string_view character =
          byte_level_ ? absl::string_view(CharacterOfByte(static_cast<unsigned char>(byte)))
                      : absl::string_view(&c, 1);
      byte_ids_[place][byte] = IdOf(Written(character, place)).value_or(-1);
    }
    fallback_ids_[byte] = IdOf(absl::StrFormat("<0x%02X>", byte)).value_or(-1);
  }
}

absl::Status Bpe::ReadMerges(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const auto entries, section.Elements());
  merges_.reserve(entries.size());
  for (size_t rank = 0; rank < entries.size(); ++rank) {
    const JsonNode& entry = entries[rank];
    std::vector<std::string> pair;
    if (entry.value().is_string()) {
      pair = absl::StrSplit(entry.value().get_ref<const std::string&>(), ' ');
    } else {
      TERMINUS_ASSIGN_OR_RETURN(const auto sides, entry.Elements());
      for (const JsonNode& side : sides) {
        TERMINUS_ASSIGN_OR_RETURN(pair.emplace_back(), side.String());
      }
    }
    if (pair.size() != 2) {
      return entry.Unexpected("two tokens: \"a b\" or [\"a\", \"b\"]");
    }
    TERMINUS_RETURN_IF_ERROR(AddMerge(entry, pair[0], pair[1], static_cast<int32_t>(rank)));
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddMerge(const JsonNode& node, const std::string& left, const std::string& right,
                           int32_t rank) {
  const auto left_id = IdOf(left);
  const auto right_id = IdOf(right);
  // The prefix of what goes on with a word is not part of the whole.
  const auto joined_id =
      right.size() < prefix_.size() ? absl::nullopt : IdOf(left + right.substr(prefix_.size()));
  if (!left_id || !right_id || !joined_id) {
    return node.Error(
        absl::StrCat("\"", left, "\", \"", right, "\" and both joined must be in ", "model.vocab"));
  }
  // Of a pair that comes twice the last one counts, as in the library.
  merges_[Pair(*left_id, *right_id)] = {.rank = rank, .id = *joined_id};
  return absl::OkStatus();
}

absl::optional<int32_t> Bpe::IdOf(absl::string_view token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? absl::nullopt : absl::make_optional(found->second);
}

void Bpe::Tokenize(absl::string_view word, std::vector<int32_t>& ids) const {
  if (ignore_merges_) {
    const auto& whole = byte_level_ ? by_bytes_ : vocabulary_;
    if (const auto found = whole.find(word); found != whole.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  const size_t from = ids.size();
  Begin(word, ids);
  if (ids.size() - from <= kShortWord) {
    MergeShort(ids, from);
  } else {
    MergeLong(ids, from);
  }
}

void Bpe::Begin(absl::string_view word, std::vector<int32_t>& ids) const {
  // Unknown characters come out at the next known one, behind bytes in between, as in the library.
  bool unknown = false;
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    const auto byte = static_cast<unsigned char>(word[at]);
    const bool single = byte_level_ || byte < 0x80;
    if (single) {
      ++at;
    } else {
      NextCodePoint(word, at);
    }
    const int place = (begin > 0 ? kLater : 0) | (at == word.size() ? kLast : 0);
    const absl::string_view character = word.substr(begin, at - begin);
    const bool plain = prefix_.empty() && ((place & kLast) == 0 || suffix_.empty());
    const int32_t id = single  ? byte_ids_[place][byte]
                       : plain ? IdOf(character).value_or(-1)
                               : IdOf(Written(character, place)).value_or(-1);
    if (id >= 0) {
      if (unknown) ids.push_back(*unknown_id_);
      unknown = false;
      ids.push_back(id);
      continue;
    }
    if (byte_fallback_) {
      const absl::string_view shown =
          byte_level_ ? absl::string_view(CharacterOfByte(byte)) : character;
      if (BeginBytes(plain ? std::string(shown) : Written(shown, place), ids)) continue;
    }
    // Without an unknown token such a character vanishes, as in the library.
    if (unknown && !fuse_unknown_) ids.push_back(*unknown_id_);
    unknown = unknown_id_.has_value();
  }
  if (unknown) ids.push_back(*unknown_id_);
}

bool Bpe::BeginBytes(absl::string_view character, std::vector<int32_t>& ids) const {
  const auto id_of = [&](char byte) { return fallback_ids_[static_cast<unsigned char>(byte)]; };
  if (!std::all_of(character.begin(), character.end(), [&](char b) { return id_of(b) >= 0; })) {
    return false;
  }
  for (const char byte : character) ids.push_back(id_of(byte));
  return true;
}

void Bpe::MergeShort(std::vector<int32_t>& ids, size_t from) const {
  const size_t count = ids.size() - from;
  if (count < 2) {
    return;
  }
  int32_t* const tokens = ids.data() + from;
  std::array<Merge, kShortWord> joins;  // joins[i]: of tokens i and i + 1
  const auto look_up = [&](size_t i) {
    const auto found = merges_.find(Pair(tokens[i], tokens[i + 1]));
    joins[i] = found == merges_.end() ? Merge{.rank = kNoRank, .id = 0} : found->second;
  };
  size_t length = count;
  for (size_t i = 0; i + 1 < length; ++i) look_up(i);
  while (length > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < length; ++i) {
      if (joins[i].rank < joins[best].rank) best = i;
    }
    if (joins[best].rank == kNoRank) {
      break;
    }
    tokens[best] = joins[best].id;
    std::move(tokens + best + 2, tokens + length, tokens + best + 1);
    std::move(joins.data() + best + 1, joins.data() + length - 1, joins.data() + best);
    --length;
    if (best > 0) look_up(best - 1);
    if (best + 1 < length) look_up(best);
  }
  ids.resize(from + length);
}

void Bpe::MergeLong(std::vector<int32_t>& ids, size_t from) const {
  // A doubly linked list over the tokens, and a heap of the pairs that were seen; a pair whose
  // tokens have changed meanwhile is skipped when it comes up.
  struct Node {
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  struct Join {
    Merge merge;
    int32_t at;
    int32_t left;
    int32_t right;
  };
  const auto later = [](const Join& a, const Join& b) {
    return std::make_pair(a.merge.rank, a.at) > std::make_pair(b.merge.rank, b.at);
  };
  const auto count = static_cast<int32_t>(ids.size() - from);
  std::vector<Node> nodes(count);
  for (int32_t i = 0; i < count; ++i) {
    nodes[i] = {.id = ids[from + i], .previous = i - 1, .next = i + 1 < count ? i + 1 : -1};
  }
  std::priority_queue<Join, std::vector<Join>, decltype(later)> joins(later);
  const auto look_up = [&](int32_t at) {
    if (at < 0 || nodes[at].next < 0) {
      return;
    }
    const int32_t right = nodes[nodes[at].next].id;
    if (const auto found = merges_.find(Pair(nodes[at].id, right)); found != merges_.end()) {
      joins.push({.merge = found->second, .at = at, .left = nodes[at].id, .right = right});
    }
  };
  for (int32_t i = 0; i < count; ++i) look_up(i);
  while (!joins.empty()) {
    const Join join = joins.top();
    joins.pop();
    Node& left = nodes[join.at];
    if (left.id != join.left || left.next < 0 || nodes[left.next].id != join.right) {
      continue;
    }
    Node& right = nodes[left.next];
    left.id = join.merge.id;
    left.next = right.next;
    if (left.next >= 0) nodes[left.next].previous = join.at;
    right.id = -1;
    look_up(left.previous);
    look_up(join.at);
  }
  ids.resize(from);
  for (int32_t at = 0; at >= 0; at = nodes[at].next) ids.push_back(nodes[at].id);
}

}  // namespace terminus::tokenizer
