#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/recycled_bytes.h"
#include "common/media/preprocessor.h"
#include "common/media/video/clip.h"

namespace terminus::media::video {

struct SampleRequest {
  TimeRange range;
  // Frames at the centres of so many equal parts of the range ...
  int count = 0;
  // ... or, when not empty, those at these times inside it, in microseconds from the first frame.
  std::vector<int64_t> times_us;
};

struct SampledFrames {
  // As the preprocessor leaves them, one after another in the order of the request: [n, h, w, 3].
  base::RecycledBytes pixels;
  // When each is shown, in microseconds from the clip's first frame.
  std::vector<int64_t> times_us;
};

// Some frames of an encoded video, ready for an image model. Errors are Clip's. Thread-safe.
absl::StatusOr<SampledFrames> SampleFrames(absl::string_view bytes, const VideoLimits& limits,
                                           const SampleRequest& request,
                                           const ImagePreprocessor& preprocessor,
                                           const DecodeOptions& options);

}  // namespace terminus::media::video
