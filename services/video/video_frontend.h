#pragma once

#include "common/config/cluster_config.h"
#include "common/executor/encoder.h"
#include "common/media/preprocessor.h"
#include "common/serving/frontend.h"

namespace terminus::services::video {

// Decodes the frames that are wanted of each video and brings them to the model's size, one clip a
// pool thread; decoders share what threads are left. Thread-safe.
class VideoFrontend : public serving::Frontend<executor::VideoBatch> {
 public:
  VideoFrontend(const media::ImagePreprocessor& preprocessor, int default_frames,
                const config::Limits& limits)
      : preprocessor_(preprocessor), default_frames_(default_frames), limits_(limits) {}

  // An item fails alone, with a reason of common/media/video/clip.h, UNSUPPORTED_MODALITY or
  // VIDEO_TOO_MANY_FRAMES. The field is "video", or the one of its members that is at fault.
  serving::Prepared<executor::VideoBatch> Prepare(const v1::EncodeBatchRequest& request,
                                                  absl::Span<const absl::Status> admitted,
                                                  base::ThreadPool& pool) const override;

  // A clip whose time is up, or that nobody waits for, is not decoded to the end.
  serving::Prepared<executor::VideoBatch> PrepareUntil(const v1::EncodeBatchRequest& request,
                                                       absl::Span<const absl::Status> admitted,
                                                       absl::Span<const absl::Time> deadlines,
                                                       const std::function<bool()>& abandoned,
                                                       base::ThreadPool& pool) const override;

 private:
  const media::ImagePreprocessor preprocessor_;
  const int default_frames_;
  const config::Limits limits_;
};

}  // namespace terminus::services::video
