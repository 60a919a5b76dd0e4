#pragma once

#include <zlib.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::media {

// The rows of a PNG's image data: inflated, and their filters undone (PNG specification, 3rd
// edition, 9). Not thread-safe. The pieces must outlive it.
class PngRows {
 public:
  // `pixel_bytes` is how far a filter looks to the left.
  PngRows(const std::vector<absl::string_view>& pieces, size_t pixel_bytes);
  ~PngRows();
  PngRows(const PngRows&) = delete;
  PngRows& operator=(const PngRows&) = delete;

  // Rows are of so many bytes from now on, and the first has none above it.
  void BeginPass(size_t row_bytes);

  // Valid until the next call. INVALID_ARGUMENT for data that are broken or end inside a row.
  // Requires: !ended().
  absl::StatusOr<const uint8_t*> Next();

  // Whether the compressed data have ended behind a whole row.
  bool ended() const { return ended_; }
  // The piece in which the last row ended.
  size_t piece() const { return piece_; }

 private:
  // Fills the current row, its filter's number included.
  absl::Status Inflate();

  const std::vector<absl::string_view>& pieces_;
  const size_t pixel_bytes_;
  size_t piece_ = 0;
  z_stream stream_{};
  bool started_ = false;
  bool ended_ = false;
  // Of a row: zeros for what is left of it, then the filter's number and the row.
  std::vector<uint8_t> row_;
  std::vector<uint8_t> above_;
  size_t row_bytes_ = 0;
};

}  // namespace terminus::media
