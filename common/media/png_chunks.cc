#include "common/media/png_chunks.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::media {
namespace {

constexpr size_t kMagicBytes = 8;
constexpr size_t kHeaderBytes = 8;  // Length and name.
constexpr size_t kChecksumBytes = 4;
// Pillow's limits: of what one compressed text or profile inflates to, and of all texts.
constexpr size_t kMaxInflatedBytes = 1 << 20;
constexpr size_t kMaxTextBytes = 64 << 20;

uint32_t BigEndian(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return value;
}

struct Chunk {
  absl::string_view name;
  absl::string_view data;
  size_t length = 0;  // As the header says: more than the data where the file is cut off.
};

// Of a picture, or of an animation's frame.
bool IsData(const Chunk& chunk) {
  return chunk.name == "IDAT" || chunk.name == "DDAT" || chunk.name == "fdAT";
}

// Steps over chunks.
class ChunkReader {
 public:
  explicit ChunkReader(absl::string_view bytes)
      : rest_(bytes.substr(std::min(bytes.size(), kMagicBytes))) {}

  // Nothing where no header follows: the end of the file, or a name of other characters.
  absl::optional<Chunk> Next() {
    if (rest_.size() < kHeaderBytes) {
      return absl::nullopt;
    }
    Chunk chunk{.name = rest_.substr(4, 4), .data = {}, .length = BigEndian(rest_, 0)};
    const bool is_name = std::all_of(chunk.name.begin(), chunk.name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
    });
    if (!is_name) {
      return absl::nullopt;
    }
    rest_.remove_prefix(kHeaderBytes);
    chunk.data = rest_.substr(0, chunk.length);
    rest_.remove_prefix(chunk.data.size());
    checksum_ = rest_.substr(0, kChecksumBytes);
    rest_.remove_prefix(checksum_.size());
    return chunk;
  }

  // Of the last chunk.
  bool ChecksumIsRight(const Chunk& chunk) const {
    if (checksum_.size() < kChecksumBytes) {
      return false;
    }
    const auto* data = reinterpret_cast<const Bytef*>(chunk.name.data());
    // Name and data stand together.
    const uLong sum = crc32_z(0, data, chunk.name.size() + chunk.data.size());
    return sum == BigEndian(checksum_, 0);
  }

 private:
  absl::string_view rest_;
  absl::string_view checksum_;
};

absl::Status Bad(absl::string_view chunk, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("chunk ", chunk, ": ", what));
}

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

// Reads chunks into a PngFile, one handler a name.
class Handler {
 public:
  explicit Handler(PngFile* out) : out_(out) {}

  // Of any chunk but image data and IEND.
  absl::Status Handle(const Chunk& chunk);
  // Of image data: without the number that a frame's begin with.
  absl::StatusOr<absl::string_view> HandleData(const Chunk& chunk);

  // Whether a header of a kind that the specification has was there.
  bool has_header() const { return has_header_; }
  bool is_animated() const { return frames_ > 1; }
  absl::Status CheckFrame() const;

 private:
  absl::Status Header(absl::string_view data);
  absl::Status Transparency(absl::string_view data);
  absl::Status Profile(absl::string_view data);
  absl::Status Text(absl::string_view data);
  absl::Status CompressedText(absl::string_view data);
  absl::Status InternationalText(absl::string_view data);
  absl::Status KeepText(absl::string_view key, absl::string_view text);
  absl::Status FrameControl(absl::string_view data);

  PngFile* const out_;
  bool has_header_ = false;
  size_t text_bytes_ = 0;
  uint32_t frames_ = 0;
  absl::optional<uint32_t> frame_;  // Number of the last frame's chunk.
  bool is_part_ = false;            // The frame's chunk says that it is not the whole picture.
};

absl::Status Handler::Header(absl::string_view data) {
  if (data.size() < 13) {
    return Bad("IHDR", "too short");
  }
  out_->width = BigEndian(data, 0);
  out_->height = BigEndian(data, 4);
  const int depth = static_cast<uint8_t>(data[8]);
  const int color = static_cast<uint8_t>(data[9]);
  const bool small = depth == 1 || depth == 2 || depth == 4;
  const bool known = depth == 8 ? color == 0 || color == 2 || color == 3 || color == 4 || color == 6
                     : depth == 16 ? color == 0 || color == 2 || color == 4 || color == 6
                                   : small && (color == 0 || color == 3);
  if (known) {
    out_->depth = depth;
    out_->color_type = color;
    has_header_ = true;
  }
  out_->interlaced = out_->interlaced || data[12] != 0;
  return data[11] == 0 ? absl::OkStatus() : Bad("IHDR", "unknown filter method");
}

absl::Status Handler::Transparency(absl::string_view data) {
  const size_t needed = out_->color_type == kPngRgb ? 6 : out_->color_type == kPngGrey ? 2 : 0;
  if (has_header_ && data.size() < needed) {
    return Bad("tRNS", "too short");
  }
  if (out_->color_type <= kPngPalette) {
    out_->transparency = data;
  }
  return absl::OkStatus();
}

absl::Status Handler::Profile(absl::string_view data) {
  const size_t zero = data.find('\0');
  const size_t method = zero == absl::string_view::npos ? 0 : zero + 1;
  if (method >= data.size() || data[method] != 0) {
    return Bad("iCCP", "unknown compression method");
  }
  return Inflate(data.substr(method + 1)) ? absl::OkStatus() : Bad("iCCP", "too large");
}

absl::Status Handler::KeepText(absl::string_view key, absl::string_view text) {
  if (key.empty()) {
    return absl::OkStatus();
  }
  if (key == "XML:com.adobe.xmp") {
    out_->xmp = std::string(text);
  }
  text_bytes_ += text.size();
  return text_bytes_ <= kMaxTextBytes ? absl::OkStatus() : Bad("tEXt", "too much text");
}

// What ImageMagick writes: three lines, then the bytes in hexadecimal. Nothing for other digits.
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

absl::Status Handler::Text(absl::string_view data) {
  const auto [key, text] = SplitKey(data);
  if (key == "exif") {
    out_->exif = std::string(text);
  }
  if (key == "Raw profile type exif") {
    if (!out_->exif) out_->exif = RawProfile(text);
    if (!out_->exif) return Bad("tEXt", "an Exif profile that is not hexadecimal");
  }
  return KeepText(key, text);
}

absl::Status Handler::CompressedText(absl::string_view data) {
  const auto [key, text] = SplitKey(data);
  if (!text.empty() && text[0] != 0) {
    return Bad("zTXt", "unknown compression method");
  }
  const auto inflated = Inflate(text.empty() ? text : text.substr(1));
  if (!inflated) {
    return Bad("zTXt", "too large");
  }
  if (key == "Raw profile type exif") {
    if (!out_->exif) out_->exif = RawProfile(*inflated);
    if (!out_->exif) return Bad("zTXt", "an Exif profile that is not hexadecimal");
  }
  return KeepText(key, *inflated);
}

// key, compression flag and method, language, translated key, text.
absl::Status Handler::InternationalText(absl::string_view data) {
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
  return inflated ? KeepText(key, *inflated) : Bad("iTXt", "too large");
}

absl::Status Handler::FrameControl(absl::string_view data) {
  if (data.size() < 26) {
    return Bad("fcTL", "too short");
  }
  const uint32_t number = BigEndian(data, 0);
  if (number != (frame_ ? *frame_ + 1 : 0)) {
    return Bad("fcTL", "out of order");
  }
  frame_ = number;
  const uint64_t width = BigEndian(data, 4);
  const uint64_t height = BigEndian(data, 8);
  if (BigEndian(data, 12) + width > out_->width || BigEndian(data, 16) + height > out_->height) {
    return Bad("fcTL", "a frame that is larger than the picture");
  }
  is_part_ = width != out_->width || height != out_->height;
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> Handler::HandleData(const Chunk& chunk) {
  if (chunk.name != "fdAT") return chunk.data;
  constexpr size_t kNumberBytes = 4;
  if (chunk.data.size() < kNumberBytes) return Bad("fdAT", "too short");
  const uint32_t number = BigEndian(chunk.data, 0);
  if (!frame_ || number != *frame_ + 1) return Bad("fdAT", "out of order");
  frame_ = number;
  return chunk.data.substr(kNumberBytes);
}

absl::Status Handler::CheckFrame() const {
  return is_part_ ? Bad("fcTL", "a first frame that is smaller than the picture")
                  : absl::OkStatus();
}

absl::Status Handler::Handle(const Chunk& chunk) {
  if (chunk.data.size() < chunk.length) {
    return Bad(chunk.name, "cut off");
  }
  struct Least {
    absl::string_view name;
    size_t bytes;
  };
  constexpr Least kLeast[] = {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"acTL", 8}};
  for (const Least& least : kLeast) {
    if (chunk.name == least.name && chunk.length < least.bytes) {
      return Bad(chunk.name, "too short");
    }
  }
  if (chunk.name == "IHDR") return Header(chunk.data);
  if (chunk.name == "tRNS") return Transparency(chunk.data);
  if (chunk.name == "iCCP") return Profile(chunk.data);
  if (chunk.name == "tEXt") return Text(chunk.data);
  if (chunk.name == "zTXt") return CompressedText(chunk.data);
  if (chunk.name == "iTXt") return InternationalText(chunk.data);
  if (chunk.name == "fcTL") return FrameControl(chunk.data);
  if (chunk.name == "PLTE" && has_header_ && out_->color_type == kPngPalette) {
    out_->palette = chunk.data;
  } else if (chunk.name == "eXIf") {
    out_->exif = std::string(chunk.data);
  } else if (chunk.name == "acTL") {
    frames_ = BigEndian(chunk.data, 0);
  }
  return absl::OkStatus();
}

}  // namespace

absl::optional<PngSize> ReadPngSize(absl::string_view bytes) {
  ChunkReader reader(bytes);
  absl::optional<PngSize> size;
  while (const auto chunk = reader.Next()) {
    if (IsData(*chunk) || chunk->name == "IEND") break;
    if (chunk->name == "IHDR" && chunk->data.size() >= 8) {
      size = PngSize{.width = BigEndian(chunk->data, 0), .height = BigEndian(chunk->data, 4)};
    }
  }
  return size;
}

absl::StatusOr<PngFile> ReadPngChunks(absl::string_view bytes) {
  PngFile file;
  Handler handler(&file);
  ChunkReader reader(bytes);
  auto chunk = reader.Next();
  for (; chunk && chunk->name != "IDAT" && chunk->name != "fdAT"; chunk = reader.Next()) {
    if (chunk->name == "IEND") return Bad("IEND", "expected image data before it");
    TERMINUS_RETURN_IF_ERROR(handler.Handle(*chunk));
    if (!reader.ChecksumIsRight(*chunk)) return Bad(chunk->name, "wrong checksum");
  }
  if (!chunk) return absl::InvalidArgumentError("cut off before its image data");
  if (!handler.has_header()) return Bad("IHDR", "missing, or of an unknown kind");
  TERMINUS_RETURN_IF_ERROR(handler.CheckFrame());
  for (; chunk && IsData(*chunk); chunk = reader.Next()) {
    TERMINUS_ASSIGN_OR_RETURN(const absl::string_view piece, handler.HandleData(*chunk));
    file.data.push_back(piece);
    file.data_is_cut_off = chunk->data.size() < chunk->length;
  }
  const PngFile picture = file;
  for (; chunk && chunk->name != "IEND"; chunk = reader.Next()) {
    if (chunk->name == "fcTL" && handler.is_animated()) break;
    if (!IsData(*chunk)) {
      TERMINUS_RETURN_IF_ERROR(handler.Handle(*chunk));
      continue;
    }
    TERMINUS_RETURN_IF_ERROR(handler.HandleData(*chunk).status());
    if (chunk->data.size() < chunk->length) return Bad(chunk->name, "cut off");
  }
  // A header behind the image data has no effect.
  file.width = picture.width;
  file.height = picture.height;
  file.depth = picture.depth;
  file.color_type = picture.color_type;
  file.interlaced = picture.interlaced;
  file.palette = picture.palette;
  return file;
}

}  // namespace terminus::media
