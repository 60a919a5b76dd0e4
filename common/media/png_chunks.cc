#include "common/media/png_chunks.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/status_macros.h"
#include "common/media/png_texts.h"

namespace terminus::media {
namespace {

constexpr size_t kMagicBytes = 8;
constexpr size_t kHeaderBytes = 8;  // Length and name.
constexpr size_t kChecksumBytes = 4;

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

// Reads chunks into a PngFile, one handler a name.
class Handler {
 public:
  explicit Handler(PngFile* out) : out_(out), texts_(out) {}

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
  absl::Status FrameControl(absl::string_view data);

  PngFile* const out_;
  PngTexts texts_;
  bool has_header_ = false;
  uint32_t frames_ = 0;
  absl::optional<uint32_t> frame_;  // Number of the last frame's chunk.
  bool is_part_ = false;            // The frame's chunk says that it is not the whole picture.
};

absl::Status Handler::Header(absl::string_view data) {
  if (data.size() < 13) {
    return BadPngChunk("IHDR", "too short");
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
  return data[11] == 0 ? absl::OkStatus() : BadPngChunk("IHDR", "unknown filter method");
}

absl::Status Handler::Transparency(absl::string_view data) {
  const size_t needed = out_->color_type == kPngRgb ? 6 : out_->color_type == kPngGrey ? 2 : 0;
  if (has_header_ && data.size() < needed) {
    return BadPngChunk("tRNS", "too short");
  }
  if (out_->color_type <= kPngPalette) {
    out_->transparency = data;
  }
  return absl::OkStatus();
}

absl::Status Handler::FrameControl(absl::string_view data) {
  if (data.size() < 26) {
    return BadPngChunk("fcTL", "too short");
  }
  const uint32_t number = BigEndian(data, 0);
  if (number != (frame_ ? *frame_ + 1 : 0)) {
    return BadPngChunk("fcTL", "out of order");
  }
  frame_ = number;
  const uint64_t width = BigEndian(data, 4);
  const uint64_t height = BigEndian(data, 8);
  if (BigEndian(data, 12) + width > out_->width || BigEndian(data, 16) + height > out_->height) {
    return BadPngChunk("fcTL", "a frame that is larger than the picture");
  }
  is_part_ = width != out_->width || height != out_->height;
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> Handler::HandleData(const Chunk& chunk) {
  if (chunk.name != "fdAT") return chunk.data;
  constexpr size_t kNumberBytes = 4;
  if (chunk.data.size() < kNumberBytes) return BadPngChunk("fdAT", "too short");
  const uint32_t number = BigEndian(chunk.data, 0);
  if (!frame_ || number != *frame_ + 1) return BadPngChunk("fdAT", "out of order");
  frame_ = number;
  return chunk.data.substr(kNumberBytes);
}

absl::Status Handler::CheckFrame() const {
  return is_part_ ? BadPngChunk("fcTL", "a first frame that is smaller than the picture")
                  : absl::OkStatus();
}

absl::Status Handler::Handle(const Chunk& chunk) {
  if (chunk.data.size() < chunk.length) {
    return BadPngChunk(chunk.name, "cut off");
  }
  struct Least {
    absl::string_view name;
    size_t bytes;
  };
  constexpr Least kLeast[] = {{"gAMA", 4}, {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"acTL", 8}};
  for (const Least& least : kLeast) {
    if (chunk.name == least.name && chunk.length < least.bytes) {
      return BadPngChunk(chunk.name, "too short");
    }
  }
  if (chunk.name == "IHDR") return Header(chunk.data);
  if (chunk.name == "tRNS") return Transparency(chunk.data);
  if (chunk.name == "iCCP") return texts_.Profile(chunk.data);
  if (chunk.name == "tEXt") return texts_.Text(chunk.data);
  if (chunk.name == "zTXt") return texts_.CompressedText(chunk.data);
  if (chunk.name == "iTXt") return texts_.InternationalText(chunk.data);
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
    if (chunk->name == "IEND") return BadPngChunk("IEND", "expected image data before it");
    TERMINUS_RETURN_IF_ERROR(handler.Handle(*chunk));
    if (!reader.ChecksumIsRight(*chunk)) return BadPngChunk(chunk->name, "wrong checksum");
  }
  if (!chunk) return absl::InvalidArgumentError("cut off before its image data");
  if (!handler.has_header()) return BadPngChunk("IHDR", "missing, or of an unknown kind");
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
    if (chunk->data.size() < chunk->length) return BadPngChunk(chunk->name, "cut off");
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
