#include "common/grammar/vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

constexpr char kBlank = ' ';

// What a token adds as the first one of a text and behind others.
struct Pieces {
  std::string first;
  std::string later;

  bool same() const { return first == later; }
  // As the first one it lacks the blank that it begins with elsewhere.
  bool loses_blank() const {
    return later.size() == first.size() + 1 && later[0] == kBlank &&
           later.compare(1, std::string::npos, first) == 0;
  }
};

// Nothing for an id that is no token, and for special tokens.
absl::optional<Pieces> PiecesOf(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  const auto token = tokenizer.TokenText(id, /*skip_special_tokens=*/true);
  if (!token.ok() || !token->has_value()) {
    return absl::nullopt;
  }
  const tokenizer::Decoder& decoder = *tokenizer.decoder();
  return Pieces{.first = decoder.BytesOf(**token, /*first=*/true),
                .later = decoder.BytesOf(**token, /*first=*/false)};
}

}  // namespace

Vocabulary::Vocabulary() = default;
Vocabulary::~Vocabulary() = default;

absl::StatusOr<std::shared_ptr<const Vocabulary>> Vocabulary::Create(
    const tokenizer::Tokenizer& tokenizer, int size, absl::Span<const int32_t> end_tokens) {
  if (tokenizer.decoder() == nullptr || !tokenizer.decoder()->adds_bytes()) {
    return absl::FailedPreconditionError(
        "the model's tokenizer makes a token's text depend on the tokens behind it: its answers "
        "cannot follow a grammar");
  }
  std::vector<Pieces> pieces(static_cast<size_t>(size));
  std::vector<std::string> bytes(static_cast<size_t>(size));
  bool blank_lost = false;
  for (int32_t id = 0; id < size; ++id) {
    Pieces& one = pieces[static_cast<size_t>(id)];
    one = PiecesOf(tokenizer, id).value_or(Pieces());
    blank_lost |= one.loses_blank();
    bytes[static_cast<size_t>(id)] = one.later;
  }
  std::vector<int32_t> not_first;
  for (int32_t id = 0; id < size; ++id) {
    const Pieces& one = pieces[static_cast<size_t>(id)];
    // Where the first blank gets lost, all that begin with one must lose it, and only it.
    const bool begins_blank = !one.later.empty() && one.later[0] == kBlank;
    if (blank_lost && begins_blank ? !one.loses_blank() : !one.same()) {
      not_first.push_back(id);
    }
  }
  std::string lead = absl::StrCat(blank_lost ? std::string(1, kBlank) : std::string(),
                                  tokenizer.decoder()->stripped());
  return FromBytes(std::move(bytes), end_tokens, std::move(lead), std::move(not_first));
}

absl::StatusOr<std::shared_ptr<const Vocabulary>> Vocabulary::FromBytes(
    std::vector<std::string> bytes, absl::Span<const int32_t> end_tokens, std::string lead,
    std::vector<int32_t> not_first) {
  const auto size = static_cast<int32_t>(bytes.size());
  std::shared_ptr<Vocabulary> vocabulary(new Vocabulary);
  vocabulary->bytes_ = std::move(bytes);
  vocabulary->lead_ = std::move(lead);
  vocabulary->not_first_ = std::move(not_first);
  for (const int32_t token : end_tokens) {
    if (token >= 0 && token < size) {
      vocabulary->end_tokens_.push_back(token);
    }
  }
  if (vocabulary->end_tokens_.empty()) {
    return absl::FailedPreconditionError(
        "the model has no end-of-sequence token: an answer under a grammar would not end");
  }
  vocabulary->library_ = std::make_unique<const Library>(Library{xgrammar::TokenizerInfo(
      vocabulary->bytes_, xgrammar::VocabType::RAW, size, vocabulary->end_tokens_)});
  return vocabulary;
}

}  // namespace terminus::grammar
