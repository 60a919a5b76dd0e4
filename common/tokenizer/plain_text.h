#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/byte_range.h"
#include "common/tokenizer/normalizer.h"

// Ranges of a text in which no special token may be found.
namespace terminus::tokenizer {

// INVALID_ARGUMENT unless the ranges are ascending, apart from each other, and within the text.
absl::Status CheckRanges(absl::Span<const base::ByteRange> ranges, size_t text_size);

// The parts of the ranges within [begin, end), none empty, counted from `begin`. The ranges are
// such as CheckRanges takes.
std::vector<base::ByteRange> RangesWithin(absl::Span<const base::ByteRange> ranges, size_t begin,
                                          size_t end);

// Where the ranges of `text` are in `normalized`, its normalised form. Where a normalizer joins
// bytes of a range with others, the range covers the result: it is never too short.
std::vector<base::ByteRange> MapRanges(const Normalizer& normalizer, absl::string_view text,
                                       absl::Span<const base::ByteRange> ranges,
                                       absl::string_view normalized);

}  // namespace terminus::tokenizer
