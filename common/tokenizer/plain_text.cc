#include "common/tokenizer/plain_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace terminus::tokenizer {
namespace {

// Each border of a range costs one normalisation of the text. Past so many bytes the whole text
// counts as one range.
constexpr size_t kMaxMappedBytes = 64 << 20;

// How many bytes both begin with.
size_t CommonBeginning(absl::string_view a, absl::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first -
                             a.begin());
}

size_t CommonEnd(absl::string_view a, absl::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.rbegin(), a.rbegin() + size, b.rbegin()).first -
                             a.rbegin());
}

// Places in the normalised text between which the border at a byte of the text lies: up to the
// first all comes from the bytes before it, from the second on all comes from those behind it.
std::pair<size_t, size_t> MapBorder(const Normalizer& normalizer, absl::string_view text,
                                    size_t border, absl::string_view normalized) {
  std::string part;
  normalizer.Normalize(text.substr(0, border), part);
  const size_t from_front = CommonBeginning(part, normalized);
  part.clear();
  normalizer.Normalize(text.substr(border), part);
  const size_t from_back = normalized.size() - CommonEnd(part, normalized);
  return std::minmax(from_front, from_back);
}

}  // namespace

absl::Status CheckRanges(absl::Span<const base::ByteRange> ranges, size_t text_size) {
  size_t end = 0;
  for (const base::ByteRange& range : ranges) {
    if (range.begin < end || range.end < range.begin || range.end > text_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("range of bytes ", range.begin, " to ", range.end, " of a text of ",
                       text_size, ": expected ascending ranges within the text"));
    }
    end = range.end;
  }
  return absl::OkStatus();
}

std::vector<base::ByteRange> RangesWithin(absl::Span<const base::ByteRange> ranges, size_t begin,
                                          size_t end) {
  std::vector<base::ByteRange> within;
  auto range = std::partition_point(ranges.begin(), ranges.end(),
                                    [&](const base::ByteRange& r) { return r.end <= begin; });
  for (; range != ranges.end() && range->begin < end; ++range) {
    const base::ByteRange part{.begin = std::max(range->begin, begin) - begin,
                               .end = std::min(range->end, end) - begin};
    if (part.begin < part.end) within.push_back(part);
  }
  return within;
}

std::vector<base::ByteRange> MapRanges(const Normalizer& normalizer, absl::string_view text,
                                       absl::Span<const base::ByteRange> ranges,
                                       absl::string_view normalized) {
  const base::ByteRange all{.begin = 0, .end = normalized.size()};
  if (ranges.size() * text.size() > kMaxMappedBytes) return {all};
  std::vector<base::ByteRange> mapped;
  for (const base::ByteRange& range : ranges) {
    base::ByteRange in_form = all;
    if (range.begin > 0) {
      in_form.begin = MapBorder(normalizer, text, range.begin, normalized).first;
    }
    if (range.end < text.size()) {
      in_form.end = MapBorder(normalizer, text, range.end, normalized).second;
    }
    if (!mapped.empty() && in_form.begin <= mapped.back().end) {
      mapped.back().end = std::max(mapped.back().end, in_form.end);
    } else if (in_form.begin < in_form.end) {
      mapped.push_back(in_form);
    }
  }
  return mapped;
}

}  // namespace terminus::tokenizer
