#include "common/tokenizer/bert_normalizer.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// Code points from here on have neither case nor decomposition. All that clean_text drops there
// lies in the classes.
constexpr char32_t kPlainFrom = 0x30000;

// The longest replacement is shorter: four code points of four bytes.
constexpr size_t kSlack = 32;

// Canonical ordering: within each run of non-starters by class, equal ones in their order.
void Reorder(std::u32string& text) {
  const auto is_starter = [](char32_t c) { return CombiningClass(c) == 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if_not(begin, text.end(), is_starter);
    const auto end = std::find_if(begin, text.end(), is_starter);
    std::stable_sort(begin, end,
                     [](char32_t a, char32_t b) { return CombiningClass(a) < CombiningClass(b); });
    begin = end;
  }
}

}  // namespace

BertNormalizer::BertNormalizer(const Options& options)
    : options_(options), entries_(MakeEntries()) {
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    std::u32string spread;
    std::string normalized;
    Spread(c, spread);
    Finish(spread, normalized);
    TERMINUS_CHECK(normalized.size() <= 1);
    ascii_kept_[c] = static_cast<uint8_t>(normalized.size());
    ascii_[c] = normalized.empty() ? '\0' : normalized[0];
  }
}

std::vector<uint32_t> BertNormalizer::MakeEntries() {
  std::vector<uint32_t> entries(kCodePoints, kKeep);
  std::u32string spread;
  std::string normalized;
  std::string original;
  for (char32_t c = 0; c < kCodePoints; ++c) {
    const uint8_t code_class = ClassOf(c);
    if (c >= kPlainFrom && code_class == 0) continue;
    spread.clear();
    normalized.clear();
    original.clear();
    Spread(c, spread);
    if (options_.strip_accents && std::any_of(spread.begin(), spread.end(), [](char32_t part) {
          return (ClassOf(part) & (kMark | kNonStarter)) == kNonStarter;
        })) {
      entries[c] = kReorder;
      continue;
    }
    Finish(spread, normalized);
    AppendUtf8(c, original);
    if (normalized == original) continue;
    if (normalized.empty()) {
      entries[c] = kReplace;  // the pool begins with an empty replacement
      continue;
    }
    TERMINUS_CHECK(normalized.size() < kSlack);
    entries[c] = static_cast<uint32_t>(pool_.size()) << kTagBits | kReplace;
    pool_.push_back(static_cast<char>(normalized.size()));
    pool_ += normalized;
  }
  return entries;
}

void BertNormalizer::Spread(char32_t c, std::u32string& out) const {
  const uint8_t code_class = ClassOf(c);
  if (options_.clean_text) {
    if ((code_class & kCleaned) != 0) return;
    if ((code_class & kSpace) != 0) c = ' ';
  }
  const bool isolated = options_.handle_chinese_chars && (code_class & kIdeograph) != 0;
  if (isolated) out.push_back(' ');
  if (options_.strip_accents) {
    AppendDecomposed(c, out);
  } else {
    out.push_back(c);
  }
  if (isolated) out.push_back(' ');
}

void BertNormalizer::Finish(const std::u32string& decomposed, std::string& out) const {
  std::u32string lowered;
  for (const char32_t c : decomposed) {
    if (options_.strip_accents && (ClassOf(c) & kMark) != 0) continue;
    if (options_.lowercase) {
      lowered.clear();
      AppendLower(c, lowered);
      for (const char32_t part : lowered) AppendUtf8(part, out);
    } else {
      AppendUtf8(c, out);
    }
  }
}

void BertNormalizer::NormalizeSlowly(absl::string_view text, std::string& out) const {
  std::u32string decomposed;
  for (size_t at = 0; at < text.size();) Spread(NextCodePoint(text, at), decomposed);
  Reorder(decomposed);
  Finish(decomposed, out);
}

void BertNormalizer::Normalize(absl::string_view text, std::string& out) const {
  const size_t begin = out.size();
  out.resize(begin + text.size() + kSlack);
  char* to = out.data() + begin;
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      *to = ascii_[byte];
      to += ascii_kept_[byte];
      ++at;
      continue;
    }
    const size_t from = at;
    const uint32_t entry = entries_[NextCodePoint(text, at)];
    const size_t written = to - out.data();
    if (out.size() - written < text.size() - from + kSlack) {
      // There must always be room for the rest, were it ASCII, and one replacement.
      out.resize(out.size() + out.size() / 2 + kSlack);
      to = out.data() + written;
    }
    if (entry == kReorder) {
      out.resize(begin);
      NormalizeSlowly(text, out);
      return;
    }
    if (entry == kKeep) {
      std::memcpy(to, text.data() + from, at - from);
      to += at - from;
    } else {
      const char* const replacement = pool_.data() + (entry >> kTagBits);
      const auto length = static_cast<size_t>(*replacement);
      std::memcpy(to, replacement + 1, length);
      to += length;
    }
  }
  out.resize(to - out.data());
}

}  // namespace terminus::tokenizer
