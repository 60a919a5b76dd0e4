#include "common/tokenizer/unigram.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// How much worse than the worst token an unknown character is.
constexpr double kUnknownPenalty = 10.0;

// The best way to a place in a word.
struct Step {
  double score = 0;
  int32_t id = 0;
  int32_t begin = -1;  // of its last token; -1 while there is no way
};

// Sorted, each token once, with the last of its ids, as in the library.
std::vector<Trie::Entry> SortedEntries(std::vector<Trie::Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Trie::Entry& a, const Trie::Entry& b) {
    return a.key != b.key ? a.key < b.key : a.value > b.value;
  });
  entries.erase(
      std::unique(entries.begin(), entries.end(),
                  [](const Trie::Entry& a, const Trie::Entry& b) { return a.key == b.key; }),
      entries.end());
  return entries;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Model>> Unigram::FromJson(const JsonNode& section) {
  const JsonNode vocabulary = section.Member("vocab");
  if (!vocabulary.value().is_array()) return vocabulary.Unexpected("an array");
  std::vector<Trie::Entry> entries;
  std::vector<double> scores;
  double least = std::numeric_limits<double>::infinity();
  for (const nlohmann::json& pair : vocabulary.value()) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number()) {
      return vocabulary.Error(absl::StrCat("[", scores.size(), "]: expected [token, score]"));
    }
    const auto& token = pair[0].get_ref<const std::string&>();
    // An empty one is never found.
    if (!token.empty()) {
      entries.push_back({.key = token, .value = static_cast<int32_t>(scores.size())});
    }
    scores.push_back(pair[1].get<double>());
    least = std::min(least, scores.back());
  }
  const JsonNode unknown = section.Member("unk_id");
  TERMINUS_ASSIGN_OR_RETURN(const int32_t unknown_id, unknown.Index());
  if (static_cast<size_t>(unknown_id) >= scores.size()) {
    return unknown.Unexpected(absl::StrCat("the id of one of the ", scores.size(), " tokens"));
  }
  auto model = std::unique_ptr<Unigram>(
      new Unigram(Trie(SortedEntries(std::move(entries))), std::move(scores)));
  model->unknown_id_ = unknown_id;
  model->unknown_score_ = least - kUnknownPenalty;
  TERMINUS_ASSIGN_OR_RETURN(model->byte_fallback_, section.BoolOr("byte_fallback", false));
  for (int byte = 0; byte < 256; ++byte) {
    model->byte_ids_[byte] = model->IdOf(absl::StrFormat("<0x%02X>", byte)).value_or(-1);
  }
  return model;
}

void Unigram::Tokenize(absl::string_view word, std::vector<int32_t>& ids) const {
  absl::InlinedVector<Step, 64> steps(word.size() + 1);
  const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
    Step& step = steps[end];
    if (step.begin < 0 || score > step.score) {
      step = {.score = score, .id = id, .begin = static_cast<int32_t>(begin)};
    }
  };
  for (size_t at = 0; at < word.size();) {
    const size_t begin = at;
    NextCodePoint(word, at);
    const double so_far = steps[begin].score;
    bool known = false;
    vocabulary_.ForEachPrefix(word.substr(begin), [&](size_t length, int32_t id) {
      offer(begin, begin + length, scores_[id] + so_far, id);
      known |= length == at - begin;
    });
    if (!known) offer(begin, at, unknown_score_ + so_far, unknown_id_);
  }
  // Back from the end; each place is reached at least character by character.
  absl::InlinedVector<int32_t, 64> ends;
  for (auto end = static_cast<int32_t>(word.size()); end > 0; end = steps[end].begin) {
    ends.push_back(end);
  }
  int32_t unknown_from = -1;
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    const Step& step = steps[*end];
    if (step.id == unknown_id_) {
      if (unknown_from < 0) unknown_from = step.begin;
    } else {
      ids.push_back(step.id);
    }
    const bool unknown_ends = end + 1 == ends.rend() || steps[*(end + 1)].id != unknown_id_;
    if (unknown_from >= 0 && unknown_ends) {
      AppendUnknown(word.substr(unknown_from, *end - unknown_from), ids);
      unknown_from = -1;
    }
  }
}

void Unigram::AppendUnknown(absl::string_view part, std::vector<int32_t>& ids) const {
  // Joined, they may be a token after all: the unknown token spelled out, or one that scores worse.
  if (const auto id = IdOf(part); id) {
    ids.push_back(*id);
    return;
  }
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (byte_fallback_ &&
      std::all_of(part.begin(), part.end(), [&](char byte) { return id_of(byte) >= 0; })) {
    for (const char byte : part) ids.push_back(id_of(byte));
    return;
  }
  ids.push_back(unknown_id_);
}

absl::optional<int32_t> Unigram::IdOf(absl::string_view token) const {
  if (token.empty()) return absl::nullopt;
  const auto node = vocabulary_.Walk(Trie::kRoot, token);
  return node ? vocabulary_.ValueOf(*node) : absl::nullopt;
}

}  // namespace terminus::tokenizer
