#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/plain_text.h"
#include "common/tokenizer/tokenizer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {

struct Tokenizer::Work {
  absl::string_view text;  // all of it
  SpecialTokenLimits limits;
  std::string normalized = {};
  std::vector<base::ByteRange> plain = {};  // in the part at hand
  WordList words = {};
  std::vector<int32_t> ids = {};
};

void Tokenizer::EncodePlainWord(absl::string_view word, std::vector<int32_t>& ids) const {
  const absl::optional<int32_t> unknown = model_->unknown_id();
  const size_t before = ids.size();
  model_->Tokenize(word, ids);
  const auto is_control = [&](int32_t id) { return id != unknown && IsSpecial(id); };
  if (std::none_of(ids.begin() + static_cast<int64_t>(before), ids.end(), is_control)) return;
  // The vocabulary itself spells a special token. Its halves do not.
  ids.resize(before);
  size_t half = word.size() / 2;
  while (half > 0 && (static_cast<unsigned char>(word[half]) & 0xc0) == 0x80) --half;
  if (half == 0) NextCodePoint(word, half);
  if (half == word.size()) {
    if (unknown) ids.push_back(*unknown);
    return;
  }
  EncodePlainWord(word.substr(0, half), ids);
  EncodePlainWord(word.substr(half), ids);
}

void Tokenizer::EncodeWords(absl::string_view part, bool plain, Work& work) const {
  pre_tokenizer_->Split(part, work.words);
  for (const absl::string_view word : work.words.list) {
    if (plain) {
      EncodePlainWord(word, work.ids);
    } else {
      model_->Tokenize(word, work.ids);
    }
  }
  work.words.Clear();
}

void Tokenizer::EncodePart(absl::string_view part, Work& work) const {
  work.normalized.clear();
  normalizer_->Normalize(part, work.normalized);
  if (part.data() == work.text.data()) work.words.beginning = work.normalized.data();
  const auto offset = static_cast<size_t>(part.data() - work.text.data());
  work.plain = RangesWithin(work.limits.plain_text, offset, offset + part.size());
  const bool plain = !work.plain.empty();
  if (plain && normalized_tokens_.has_special()) {
    work.plain = MapRanges(*normalizer_, part, work.plain, work.normalized);
  }
  normalized_tokens_.Split(
      work.normalized, {.split_all = work.limits.split_all, .plain_text = work.plain},
      [&](absl::string_view words) { EncodeWords(words, plain, work); },
      [&](int32_t id) { work.ids.push_back(id); });
}

std::vector<int32_t> Tokenizer::EncodeText(absl::string_view text,
                                           const EncodeOptions& options) const {
  Work work{.text = text,
            .limits = {.split_all = split_special_tokens_, .plain_text = options.plain_text}};
  work.ids.reserve(text.size() / 4 + post_processor_.added());  // English has about 4 bytes a token
  if (siglip_ != nullptr) {
    siglip_->Encode(text, work.ids);
    return std::move(work.ids);
  }
  raw_tokens_.Split(
      text, work.limits, [&](absl::string_view part) { EncodePart(part, work); },
      [&](int32_t id) { work.ids.push_back(id); });
  return std::move(work.ids);
}

absl::StatusOr<Encoding> Tokenizer::Encode(absl::string_view text,
                                           const EncodeOptions& options) const {
  TERMINUS_RETURN_IF_ERROR(CheckUtf8(text));
  TERMINUS_RETURN_IF_ERROR(CheckRanges(options.plain_text, text.size()));
  if (siglip_ != nullptr && !options.plain_text.empty()) {
    return absl::InvalidArgumentError("SiglipTokenizer: text of messages is not supported");
  }
  static const PostProcessor kNoTemplate;
  const auto& [before, after, once] = options.add_special_tokens ? post_processor_ : kNoTemplate;
  const size_t template_tokens = before.size() + after.size();
  if (options.max_tokens < template_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("limit of ", options.max_tokens,
                                                   " tokens: expected at least the ",
                                                   template_tokens, " that every text gets"));
  }
  Encoding encoding{.ids = EncodeText(text, options)};
  std::vector<int32_t>& ids = encoding.ids;
  encoding.full_length = ids.size() + template_tokens;
  if (encoding.full_length > options.max_tokens) {
    encoding.truncated = true;
    const auto dropped = static_cast<int64_t>(encoding.full_length - options.max_tokens);
    const auto begin = truncate_left_ ? ids.begin() : ids.end() - dropped;
    ids.erase(begin, begin + dropped);
  }
  ids.insert(ids.begin(), before.begin(), before.end());
  const bool ends_already = once && !ids.empty() && ids.back() == after.back();
  if (!ends_already) ids.insert(ids.end(), after.begin(), after.end());
  if (!encoding.truncated) encoding.full_length = ids.size();
  return encoding;
}

}  // namespace terminus::tokenizer
