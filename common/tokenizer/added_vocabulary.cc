#include "common/tokenizer/added_vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/tokenizer/limits.h"

namespace terminus::tokenizer {

int32_t AddedVocabulary::next_id() const {
  if (tokens_.empty()) return model_tokens_;
  return std::max(model_tokens_, tokens_.rbegin()->first + 1);
}

absl::optional<int32_t> AddedVocabulary::IdOf(absl::string_view content) const {
  const auto found = ids_.find(content);
  return found == ids_.end() ? absl::nullopt : absl::make_optional(found->second);
}

const std::string& AddedVocabulary::FormOf(int32_t id) const {
  const auto form = forms_.find(id);
  return form != forms_.end() ? form->second : tokens_.at(id).content;
}

void AddedVocabulary::Normalize(int32_t id, const TokenDescription& token) {
  if (!token.normalized) return;
  std::string form;
  normalizer_.Normalize(token.content, form);
  if (form != token.content) forms_[id] = std::move(form);
}

absl::Status AddedVocabulary::Add(absl::Span<const TokenDescription> tokens) {
  int32_t next = next_id();
  for (const TokenDescription& token : tokens) {
    if (token.content.empty()) continue;
    const absl::optional<int32_t> added = IdOf(token.content);
    if (added && tokens_.at(*added) == token) continue;
    absl::optional<int32_t> id = added ? added : model_.IdOf(token.content);
    if (!id) id = next++;
    if (*id >= kMaxVocabulary) {
      return absl::InvalidArgumentError(absl::StrCat("added token \"", token.content, "\": id ",
                                                     *id, ", at most ", kMaxVocabulary - 1,
                                                     " is supported"));
    }
    Normalize(*id, token);
    ids_[token.content] = *id;
    if (token.special) special_.insert(token.content);
    tokens_[*id] = token;
    if (token.normalized && FormOf(*id).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "added token \"", token.content, "\": expected text that is not empty once normalised"));
    }
  }
  return absl::OkStatus();
}

void AddedVocabulary::Refresh() {
  forms_.clear();
  for (const auto& [id, token] : tokens_) Normalize(id, token);
}

}  // namespace terminus::tokenizer
