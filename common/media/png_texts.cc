#include "common/media/png_texts.h"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace terminus::media {
namespace {

// Pillow's limits: of what one compressed text or profile inflates to, and of all texts.
constexpr size_t kMaxInflatedBytes = 1 << 20;
constexpr size_t kMaxTextBytes = 64 << 20;

// Inflates as far as that goes; broken data end it. Nothing where more than the limit comes out.
absl::optional<std::string> Inflate(absl::string_view bytes) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) {
    return absl::nullopt;
  }
  // Deflate makes at most 1032 bytes of one.
  constexpr size_t kMaxRatio = 1032;
  std::string out(std::min(kMaxInflatedBytes, (bytes.size() + 1) * kMaxRatio), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // Read only.
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = inflate(&stream, Z_SYNC_FLUSH);
  const bool too_large = code == Z_OK && stream.avail_in > 0;
  out.resize(code == Z_OK || code == Z_STREAM_END ? stream.total_out : 0);
  inflateEnd(&stream);
  if (too_large) {
    return absl::nullopt;
  }
  return out;
}

// "key\0rest"; without a zero all is key.
std::pair<absl::string_view, absl::string_view> SplitKey(absl::string_view data) {
  const size_t zero = data.find('\0');
  return {data.substr(0, zero),
          zero == absl::string_view::npos ? absl::string_view() : data.substr(zero + 1)};
}

// Decodes a profile as ImageMagick writes it: three lines, then the bytes in hexadecimal. Returns
// nothing if a digit is not hexadecimal.
absl::optional<std::string> RawProfile(absl::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
  }
  std::string digits(text);
  const auto is_space = [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); };
  digits.erase(std::remove_if(digits.begin(), digits.end(), is_space), digits.end());
  const bool are_digits = std::all_of(digits.begin(), digits.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (!are_digits || digits.size() % 2 != 0) {
    return absl::nullopt;
  }
  return absl::HexStringToBytes(digits);
}

}  // namespace

absl::Status BadPngChunk(absl::string_view chunk, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("chunk ", chunk, ": ", what));
}

absl::Status PngTexts::Profile(absl::string_view data) {
  const size_t zero = data.find('\0');
  const size_t method = zero == absl::string_view::npos ? 0 : zero + 1;
  if (method >= data.size() || data[method] != 0) {
    return BadPngChunk("iCCP", "unknown compression method");
  }
  return Inflate(data.substr(method + 1)) ? absl::OkStatus() : BadPngChunk("iCCP", "too large");
}

absl::Status PngTexts::KeepText(absl::string_view key, absl::string_view text) {
  if (key.empty()) {
    return absl::OkStatus();
  }
  if (key == "XML:com.adobe.xmp") {
    out_->xmp = std::string(text);
  }
  text_bytes_ += text.size();
  return text_bytes_ <= kMaxTextBytes ? absl::OkStatus() : BadPngChunk("tEXt", "too much text");
}

absl::Status PngTexts::Text(absl::string_view data) {
  const auto [key, text] = SplitKey(data);
  if (key == "exif") {
    out_->exif = std::string(text);
  }
  if (key == "Raw profile type exif") {
    if (!out_->exif) out_->exif = RawProfile(text);
    if (!out_->exif) return BadPngChunk("tEXt", "an Exif profile that is not hexadecimal");
  }
  return KeepText(key, text);
}

absl::Status PngTexts::CompressedText(absl::string_view data) {
  const auto [key, text] = SplitKey(data);
  if (!text.empty() && text[0] != 0) {
    return BadPngChunk("zTXt", "unknown compression method");
  }
  const auto inflated = Inflate(text.empty() ? text : text.substr(1));
  if (!inflated) {
    return BadPngChunk("zTXt", "too large");
  }
  if (key == "Raw profile type exif") {
    if (!out_->exif) out_->exif = RawProfile(*inflated);
    if (!out_->exif) return BadPngChunk("zTXt", "an Exif profile that is not hexadecimal");
  }
  return KeepText(key, *inflated);
}

// key, compression flag and method, language, translated key, text.
absl::Status PngTexts::InternationalText(absl::string_view data) {
  const auto [key, rest] = SplitKey(data);
  if (rest.size() < 2) {
    return absl::OkStatus();
  }
  const auto [language, behind] = SplitKey(rest.substr(2));
  const size_t zero = behind.find('\0');
  if (zero == absl::string_view::npos) {
    return absl::OkStatus();
  }
  const absl::string_view text = behind.substr(zero + 1);
  if (rest[0] == 0) {
    return KeepText(key, text);
  }
  if (rest[1] != 0) {
    return absl::OkStatus();
  }
  const auto inflated = Inflate(text);
  return inflated ? KeepText(key, *inflated) : BadPngChunk("iTXt", "too large");
}

}  // namespace terminus::media
