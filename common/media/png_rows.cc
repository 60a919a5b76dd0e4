#include "common/media/png_rows.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::media {
namespace {

uint8_t Paeth(int left, int above, int corner) {
  const int to_left = std::abs(above - corner);
  const int to_above = std::abs(left - corner);
  const int to_corner = std::abs(left + above - 2 * corner);
  if (to_left <= to_above && to_left <= to_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(to_above <= to_corner ? above : corner);
}

// Undoes a filter in place. Before `row` and `above` stand as many zeros as a pixel has bytes.
absl::Status Unfilter(int filter, uint8_t* row, const uint8_t* above, size_t bytes, size_t pixel) {
  const uint8_t* left = row - pixel;
  const uint8_t* corner = above - pixel;
  switch (filter) {
    case 0:
      break;
    case 1:
      for (size_t i = 0; i < bytes; ++i) row[i] += left[i];
      break;
    case 2:
      for (size_t i = 0; i < bytes; ++i) row[i] += above[i];
      break;
    case 3:
      for (size_t i = 0; i < bytes; ++i) row[i] += static_cast<uint8_t>((left[i] + above[i]) / 2);
      break;
    case 4:
      for (size_t i = 0; i < bytes; ++i) row[i] += Paeth(left[i], above[i], corner[i]);
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat("unknown filter ", filter));
  }
  return absl::OkStatus();
}

}  // namespace

PngRows::PngRows(const std::vector<absl::string_view>& pieces, size_t pixel_bytes)
    : pieces_(pieces), pixel_bytes_(pixel_bytes) {
  started_ = inflateInit(&stream_) == Z_OK;
  // Read only.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(pieces_[0].data()));
  stream_.avail_in = static_cast<uInt>(pieces_[0].size());
}

PngRows::~PngRows() { inflateEnd(&stream_); }

void PngRows::BeginPass(size_t row_bytes) {
  row_bytes_ = row_bytes;
  row_.assign(pixel_bytes_ + 1 + row_bytes, 0);
  above_.assign(pixel_bytes_ + 1 + row_bytes, 0);
}

absl::Status PngRows::Inflate() {
  if (!started_) return absl::InvalidArgumentError("out of memory");
  stream_.next_out = &row_[pixel_bytes_];
  stream_.avail_out = static_cast<uInt>(row_bytes_ + 1);
  while (stream_.avail_out > 0) {
    while (stream_.avail_in == 0) {
      if (piece_ + 1 >= pieces_.size()) {
        return absl::InvalidArgumentError("cut off inside its image data");
      }
      ++piece_;
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(pieces_[piece_].data()));
      stream_.avail_in = static_cast<uInt>(pieces_[piece_].size());
    }
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_OK) continue;
    ended_ = code == Z_STREAM_END;
    if (!ended_ || stream_.avail_out > 0) {
      return absl::InvalidArgumentError("broken image data");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const uint8_t*> PngRows::Next() {
  row_.swap(above_);
  TERMINUS_RETURN_IF_ERROR(Inflate());
  const int filter = row_[pixel_bytes_];
  uint8_t* const row = &row_[pixel_bytes_ + 1];
  // The filter's number stands where the filters look for zeros.
  row_[pixel_bytes_] = 0;
  TERMINUS_RETURN_IF_ERROR(
      Unfilter(filter, row, &above_[pixel_bytes_ + 1], row_bytes_, pixel_bytes_));
  return row;
}

}  // namespace terminus::media
