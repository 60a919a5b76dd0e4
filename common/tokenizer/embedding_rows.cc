#include "common/tokenizer/embedding_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace terminus::tokenizer {
namespace {

// Names in a warning.
constexpr size_t kMaxNamed = 4;

// "token "<x>" with the id 7"
std::string Describe(const Tokenizer& tokenizer, int32_t id) {
  const auto token = tokenizer.TokenOf(id);
  return token ? absl::StrCat("token \"", *token, "\" with the id ", id)
               : absl::StrCat("token id ", id);
}

}  // namespace

std::vector<std::string> TokensBeyond(const Tokenizer& tokenizer, int32_t rows) {
  std::vector<std::string> tokens;
  for (int32_t id = std::max(0, rows); id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.TokenOf(id)) {
      tokens.push_back(Describe(tokenizer, id));
    }
  }
  return tokens;
}

std::string TokensBeyondWarning(const std::string& path, const Tokenizer& tokenizer, int32_t rows) {
  const std::vector<std::string> tokens = TokensBeyond(tokenizer, rows);
  if (tokens.empty()) {
    return "";
  }
  const auto named = absl::MakeConstSpan(tokens).subspan(0, kMaxNamed);
  return absl::StrCat(
      path, ": ", absl::StrJoin(named, ", "),
      tokens.size() > kMaxNamed ? absl::StrCat(" and ", tokens.size() - kMaxNamed, " more") : "",
      ": the model has embeddings of ", rows, " tokens; what holds any other is refused");
}

absl::Status CheckRows(const Tokenizer& tokenizer, absl::Span<const int32_t> ids, int32_t rows) {
  const auto beyond = std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id >= rows; });
  if (beyond == ids.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      Describe(tokenizer, *beyond), ": the model has embeddings of ", rows, " tokens"));
}

}  // namespace terminus::tokenizer
