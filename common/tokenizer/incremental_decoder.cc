#include "common/tokenizer/incremental_decoder.h"

#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

struct Sequence {
  // Bytes of it that are well-formed so far, at least 1.
  size_t length = 1;
  // The bytes end where it goes on.
  bool cut_off = false;
};

// The ill-formed sequence at the beginning of `bytes`: how far it looks like a character (table
// 3-7 of the Unicode standard).
Sequence IllFormedPrefix(absl::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  size_t size = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    low = lead == 0xe0 ? 0xa0 : low;
    high = lead == 0xed ? 0x9f : high;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    low = lead == 0xf0 ? 0x90 : low;
    high = lead == 0xf4 ? 0x8f : high;
  } else {
    return {};
  }
  size_t length = 1;
  while (length < size && length < bytes.size() && low <= byte(length) && byte(length) <= high) {
    ++length;
    low = 0x80;
    high = 0xbf;
  }
  return {.length = length, .cut_off = length == bytes.size()};
}

}  // namespace

size_t AppendLossyUtf8(absl::string_view bytes, bool more_to_come, std::string& out) {
  size_t used = 0;
  while (used < bytes.size()) {
    const absl::string_view rest = bytes.substr(used);
    const size_t valid = ValidUtf8Prefix(rest);
    out.append(rest.data(), valid);
    used += valid;
    if (used == bytes.size()) {
      break;
    }
    const Sequence bad = IllFormedPrefix(bytes.substr(used));
    if (bad.cut_off && more_to_come) {
      break;
    }
    out.append(kReplacement.data(), kReplacement.size());
    used += bad.length;
  }
  return used;
}

absl::StatusOr<std::string> IncrementalDecoder::Push(int32_t id) {
  TERMINUS_RETURN_IF_ERROR(tokenizer_->AppendBytes(id, skip_special_tokens_, pending_));
  std::string text;
  const size_t used = AppendLossyUtf8(pending_, /*more_to_come=*/true, text);
  pending_.erase(0, used);
  return text;
}

std::string IncrementalDecoder::Flush() {
  std::string text;
  AppendLossyUtf8(pending_, /*more_to_come=*/false, text);
  pending_.clear();
  return text;
}

}  // namespace terminus::tokenizer
