#include "common/tokenizer/siglip_pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/limits.h"
#include "common/tokenizer/python_text.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr char kBlank[] = "▁";

// Drops ASCII punctuation, and makes white space in a row one blank.
std::string Canonicalize(absl::string_view text) {
  std::string out;
  bool behind_space = false;
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const char32_t c = NextCodePoint(text, at);
    if (c < 0x80 && absl::ascii_ispunct(static_cast<unsigned char>(c))) continue;
    const bool is_space = IsPythonSpace(c);
    if (!is_space) {
      out.append(text.data() + from, at - from);
    } else if (!behind_space) {
      out += ' ';
    }
    behind_space = is_space;
  }
  return std::string(StripBoth(out));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const SiglipPipeline>> SiglipPipeline::Create(
    absl::string_view file, SiglipOptions options) {
  TERMINUS_ASSIGN_OR_RETURN(SentencePieceFile parsed, ParseSentencePieceFile(file));
  if (!options.legacy) parsed.add_dummy_prefix = false;
  TERMINUS_ASSIGN_OR_RETURN(SentencePiece pieces, SentencePiece::Create(std::move(parsed)));
  auto made =
      std::unique_ptr<SiglipPipeline>(new SiglipPipeline(std::move(pieces), std::move(options)));
  TERMINUS_RETURN_IF_ERROR(made->AddSpecial());
  made->unknown_pieces_ = made->pieces_.Encode(made->options_.unk_token).size();
  return made;
}

absl::Status SiglipPipeline::AddSpecial() {
  for (const auto& [id, token] : options_.added) {
    if (id < 0 || id >= kMaxVocabulary) {
      return absl::InvalidArgumentError(absl::StrCat("added token \"", token.content, "\": id ", id,
                                                     ", expected one from 0 to ",
                                                     kMaxVocabulary - 1));
    }
    if (!ids_.emplace(token.content, id).second) {
      return absl::InvalidArgumentError(absl::StrCat("added token \"", token.content,
                                                     "\": two ids, ", ids_[token.content], " and ",
                                                     id, ", supported is one"));
    }
  }
  // The next id is the number of different tokens, even if some id above it is taken.
  absl::flat_hash_set<std::string> known;
  for (size_t id = 0; id < pieces_.pieces().size(); ++id) {
    const auto added = options_.added.find(static_cast<int64_t>(id));
    known.insert(added == options_.added.end() ? pieces_.pieces()[id].text : added->second.content);
  }
  for (const auto& [content, id] : ids_) known.insert(content);
  auto next = static_cast<int64_t>(known.size());
  for (const std::string& content : options_.special) {
    special_.insert(content);
    if (content.empty() || ids_.contains(content)) continue;
    const int32_t piece = pieces_.IdOf(content);
    const int64_t id = pieces_.pieces()[piece].text == content ? piece : next++;
    options_.added[id] = {.content = content, .special = true};
    ids_[content] = id;
  }
  std::vector<std::string> searched;
  for (const auto& [id, token] : options_.added) searched.push_back(token.content);
  searched.insert(searched.end(), options_.special.begin(), options_.special.end());
  trie_ = std::make_unique<const PythonTokenTrie>(searched);
  return absl::OkStatus();
}

absl::optional<int32_t> SiglipPipeline::IdOf(absl::string_view token) const {
  if (const auto added = ids_.find(token); added != ids_.end()) {
    return static_cast<int32_t>(added->second);
  }
  const int32_t id = pieces_.IdOf(token);
  return pieces_.pieces()[id].text == token ? absl::make_optional(id) : absl::nullopt;
}

std::vector<std::string> SiglipPipeline::Tokens() const {
  std::vector<std::string> tokens;
  for (const auto& piece : pieces_.pieces()) tokens.push_back(piece.text);
  for (const auto& [id, token] : options_.added) {
    if (tokens.size() <= static_cast<size_t>(id)) tokens.resize(id + 1);
    tokens[id] = token.content;
  }
  return tokens;
}

std::vector<std::string> SiglipPipeline::EncodePart(absl::string_view text) const {
  // The unknown token in front keeps the blank that a text begins with. Its pieces are dropped.
  std::string whole = options_.unk_token;
  whole += Canonicalize(options_.do_lower_case ? PythonLower(text) : std::string(text));
  std::vector<std::string> pieces = pieces_.Encode(whole);
  if (pieces.size() >= unknown_pieces_) {
    pieces.erase(pieces.begin(), pieces.begin() + static_cast<int64_t>(unknown_pieces_));
  }
  return pieces;
}

void SiglipPipeline::ApplyProperties(std::vector<std::string>& parts) const {
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto found = ids_.find(parts[i]);
    if (found == ids_.end()) continue;
    const TokenDescription& token = options_.added.at(found->second);
    // As they were before white space is taken off.
    const std::string left = i > 0 ? parts[i - 1] : "";
    const std::string right = i + 1 < parts.size() ? parts[i + 1] : "";
    if (token.rstrip && !right.empty()) parts[i + 1] = std::string(StripLeft(right));
    if (token.lstrip && !left.empty()) parts[i - 1] = std::string(StripRight(left));
    if (!token.single_word) continue;
    if (!left.empty() && left.back() != ' ') {
      parts[i - 1] += parts[i];
      parts[i].clear();
    } else if (!right.empty() && right.front() != ' ') {
      parts[i + 1] = parts[i] + parts[i + 1];
      parts[i].clear();
    }
  }
}

std::vector<std::string> SiglipPipeline::Tokenize(const std::string& text) const {
  if (options_.split_special_tokens) return EncodePart(text);
  std::vector<std::string> parts;
  for (const absl::string_view part : trie_->Split(text)) parts.emplace_back(part);
  ApplyProperties(parts);
  std::vector<std::string> tokens;
  for (std::string& part : parts) {
    if (part.empty()) continue;
    if (ids_.contains(part) || special_.contains(part)) {
      tokens.push_back(std::move(part));
      continue;
    }
    for (std::string& piece : EncodePart(part)) tokens.push_back(std::move(piece));
  }
  return tokens;
}

void SiglipPipeline::Encode(absl::string_view text, std::vector<int32_t>& ids) const {
  const std::vector<std::string> tokens =
      Tokenize(absl::StrCat(kBlank, absl::StrReplaceAll(text, {{kBlank, " "}})));
  const bool drops_blank = tokens.size() > 1 && tokens[0] == kBlank && special_.contains(tokens[1]);
  for (size_t i = drops_blank ? 1 : 0; i < tokens.size(); ++i) {
    const auto added = ids_.find(tokens[i]);
    ids.push_back(added == ids_.end() ? pieces_.IdOf(tokens[i])
                                      : static_cast<int32_t>(added->second));
  }
}

}  // namespace terminus::tokenizer
