#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace terminus::media {

// Steps over the marker segments of a JPEG stream (ITU-T T.81, annex B), entropy-coded data
// included. Reads only inside `bytes`, which must outlive it.
class JpegMarkers {
 public:
  struct Segment {
    uint8_t marker = 0;
    absl::string_view payload;  // without marker and length; empty for markers that have none
  };

  // Begins behind the SOI marker, which the caller has seen.
  explicit JpegMarkers(absl::string_view bytes) : rest_(bytes.substr(2)) {}

  // The next segment; nothing when the data ends before its end or is not a segment.
  absl::optional<Segment> Next();

 private:
  absl::string_view rest_;
};

inline constexpr uint8_t kJpegEoi = 0xd9;

// Whether the marker begins a frame header, which holds the size.
bool IsFrameHeader(uint8_t marker);

}  // namespace terminus::media
