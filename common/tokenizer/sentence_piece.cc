#include "common/tokenizer/sentence_piece.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/limits.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

using Piece = SentencePieceFile::Piece;
using Type = SentencePieceFile::Type;

constexpr char kBlank[] = "▁";
// An unknown character scores this much below the worst piece.
constexpr float kUnknownPenalty = 10.0F;
// Sums beyond this are counted from 0 again.
constexpr float kLargestSum = 100000.0F;
constexpr size_t kLongestPiece = 8000;
constexpr absl::string_view kNull("\0", 1);

std::string BytePiece(unsigned char byte) { return absl::StrFormat("<0x%02X>", byte); }

absl::Status Fault(size_t id, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("pieces[", id, "]: ", message));
}

bool IsNullPiece(const Piece& piece, bool byte_fallback) {
  return piece.text == kNull && (byte_fallback || piece.type == Type::kUnused);
}

absl::Status CheckPiece(const Piece& piece, size_t id, bool byte_fallback) {
  if (piece.text.empty()) return Fault(id, "empty");
  if (piece.text.size() >= kLongestPiece) return Fault(id, "too long");
  if (!std::isfinite(piece.score)) return Fault(id, "its score is not finite");
  if (absl::StrContains(piece.text, kNull) && !IsNullPiece(piece, byte_fallback)) {
    return Fault(id, "has a NUL");
  }
  if (piece.type != Type::kByte) return absl::OkStatus();
  if (!byte_fallback) return Fault(id, "a byte, but trainer_spec.byte_fallback is false");
  for (int byte = 0; byte < 256; ++byte) {
    if (piece.text == BytePiece(static_cast<unsigned char>(byte))) return absl::OkStatus();
  }
  return Fault(id, "not such as <0x0A>, as a byte is written");
}

// The pieces of some types with their ids, sorted.
Trie TrieOf(const std::vector<Piece>& pieces, absl::Span<const Type> types) {
  std::vector<Trie::Entry> entries;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (std::find(types.begin(), types.end(), pieces[id].type) != types.end()) {
      entries.push_back({.key = pieces[id].text, .value = static_cast<int32_t>(id)});
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Trie::Entry& a, const Trie::Entry& b) { return a.key < b.key; });
  return Trie(entries);
}

}  // namespace

absl::StatusOr<SentencePiece> SentencePiece::Create(SentencePieceFile file) {
  if (file.pieces.size() > kMaxVocabulary) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.pieces.size(), " pieces, at most ", kMaxVocabulary, " are supported"));
  }
  absl::flat_hash_set<absl::string_view> known;
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    Piece& piece = file.pieces[id];
    TERMINUS_RETURN_IF_ERROR(CheckPiece(piece, id, file.byte_fallback));
    if (IsNullPiece(piece, file.byte_fallback)) piece.type = Type::kUnused;
    if (!known.insert(piece.text).second) {
      return Fault(id, absl::StrCat("\"", piece.text, "\" once more"));
    }
  }
  Trie vocabulary = TrieOf(file.pieces, {Type::kNormal, Type::kUserDefined});
  Trie symbols = TrieOf(file.pieces, {Type::kUserDefined});
  SentencePiece made(std::move(file), std::move(vocabulary), std::move(symbols));
  TERMINUS_RETURN_IF_ERROR(made.ReadIds());
  if (!made.file_.charsmap.empty()) {
    auto rules = CharsmapRules::FromBytes(made.file_.charsmap);
    if (!rules.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("normalizer_spec.precompiled_charsmap: ", rules.status().message()));
    }
    made.rules_ = *std::move(rules);
  }
  return made;
}

absl::Status SentencePiece::ReadIds() {
  float least = std::numeric_limits<float>::max();
  int bytes = 0;
  for (size_t id = 0; id < file_.pieces.size(); ++id) {
    const Piece& piece = file_.pieces[id];
    if (!IsNullPiece(piece, file_.byte_fallback)) ids_[piece.text] = static_cast<int32_t>(id);
    if (piece.type == Type::kNormal) least = std::min(least, piece.score);
    if (piece.type == Type::kByte) ++bytes;
    if (piece.type != Type::kUnknown) continue;
    if (unknown_id_ >= 0) return Fault(id, "a second piece of the type UNKNOWN");
    unknown_id_ = static_cast<int32_t>(id);
  }
  if (unknown_id_ < 0) return absl::InvalidArgumentError("pieces: none of the type UNKNOWN");
  if (file_.byte_fallback && bytes != 256) {
    return absl::InvalidArgumentError(absl::StrCat("pieces: ", bytes, " bytes, expected 256"));
  }
  unknown_score_ = least - kUnknownPenalty;
  return absl::OkStatus();
}

int32_t SentencePiece::IdOf(absl::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? unknown_id_ : found->second;
}

SentencePiece::Prefix SentencePiece::NormalizePrefix(absl::string_view text) const {
  if (const size_t symbol = symbols_.LongestMatch(Trie::kRoot, text).length; symbol > 0) {
    return {.length = symbol, .form = text.substr(0, symbol)};
  }
  if (rules_) {
    const auto rule = rules_->Longest(text);
    if (rule) return {.length = rule->length, .form = rule->replacement};
  }
  size_t length = 0;
  NextCodePoint(text, length);
  return {.length = length, .form = text.substr(0, length)};
}

std::string SentencePiece::Normalize(absl::string_view text) const {
  const bool removes = file_.remove_extra_whitespaces;
  while (removes && !text.empty()) {
    const Prefix prefix = NormalizePrefix(text);
    if (prefix.form != " ") break;
    text.remove_prefix(prefix.length);
  }
  std::string out;
  if (text.empty()) return out;
  if (file_.add_dummy_prefix) out += kBlank;
  bool behind_blank = removes;
  while (!text.empty()) {
    const Prefix prefix = NormalizePrefix(text);
    absl::string_view form = prefix.form;
    while (behind_blank && absl::ConsumePrefix(&form, " ")) {
    }
    for (const char c : form) {
      if (c == ' ') {
        out += kBlank;
      } else {
        out += c;
      }
    }
    if (!form.empty()) behind_blank = removes && absl::EndsWith(form, " ");
    text.remove_prefix(prefix.length);
  }
  absl::string_view kept = out;
  while (removes && absl::ConsumeSuffix(&kept, kBlank)) {
  }
  out.resize(kept.size());
  return out;
}

float SentencePiece::ScoreOf(int32_t id, size_t length) const {
  const Piece& piece = file_.pieces[id];
  if (piece.type != Type::kUserDefined) return piece.score;
  // The user's are always found, the longest first.
  return static_cast<float>(0.1 * (static_cast<double>(length) - 1));
}

std::vector<SentencePiece::Node> SentencePiece::FindWays(absl::string_view text) const {
  std::vector<Node> nodes(text.size() + 1);
  size_t frontier = 0;  // the farthest node that a way leads to
  const auto offer = [&](size_t begin, size_t end, float score, int32_t id) {
    Node& node = nodes[end];
    frontier = std::max(frontier, end);
    if (node.begin >= 0 && !(score > node.score)) return;
    node = {.score = score, .id = id, .begin = static_cast<int32_t>(begin)};
  };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    NextCodePoint(text, at);
    if (const float sum = nodes[begin].score; std::abs(sum) > kLargestSum) {
      for (size_t i = begin; i <= frontier; ++i) {
        if (i == begin || nodes[i].begin >= 0) nodes[i].score -= sum;
      }
    }
    const float so_far = nodes[begin].score;
    bool known = false;
    vocabulary_.ForEachPrefix(text.substr(begin), [&](size_t length, int32_t id) {
      offer(begin, begin + length, ScoreOf(id, length) + so_far, id);
      known |= length == at - begin;
    });
    if (!known) offer(begin, at, unknown_score_ + so_far, unknown_id_);
  }
  return nodes;
}

std::vector<std::string> SentencePiece::Encode(absl::string_view text) const {
  const std::string normalized = Normalize(text);
  const std::vector<Node> nodes = FindWays(normalized);
  std::vector<size_t> ends;
  for (size_t end = normalized.size(); end > 0; end = static_cast<size_t>(nodes[end].begin)) {
    ends.push_back(end);
  }
  std::vector<std::string> pieces;
  bool behind_unknown = false;
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    const auto begin = static_cast<size_t>(nodes[*end].begin);
    const absl::string_view piece = absl::string_view(normalized).substr(begin, *end - begin);
    const bool is_unknown = nodes[*end].id == unknown_id_;
    if (is_unknown && file_.byte_fallback) {
      for (const char byte : piece) {
        pieces.push_back(BytePiece(static_cast<unsigned char>(byte)));
      }
    } else if (is_unknown && behind_unknown) {
      pieces.back().append(piece.data(), piece.size());
    } else {
      pieces.emplace_back(piece);
    }
    behind_unknown = is_unknown;
  }
  return pieces;
}

}  // namespace terminus::tokenizer
