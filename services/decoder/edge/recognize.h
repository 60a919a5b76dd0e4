#pragma once

#include "absl/status/status.h"
#include "terminus/v1/decoder.pb.h"

namespace terminus::services::decoder::edge {

inline constexpr int kMaxFrames = 4096;
inline constexpr int kMaxLabels = 1000;
inline constexpr uint32_t kDefaultTopK = 5;

// Names what happens in a video by comparing its frames with the texts of labels. The video's
// vector is the mean of its frames' directions; a label's probability is the softmax over the
// labels of `logit_scale` times the cosine with that.
//
// A label's time span is the longest run of frames in which no other label is closer; for a label
// that is never the closest, the longest run in which it is closer than on average over the video,
// or the whole video when it is the same throughout. Of equally long runs the first counts. A frame
// lasts until the next; the last one as long as the one before it, a single one no time.
//
// INVALID_ARGUMENT names the field at fault. FAILED_PRECONDITION without labels, as the bundle has
// no action head of its own.
absl::Status Recognize(const v1::DecoderRecognizeRequest& request, int dimension,
                       double logit_scale, v1::RecognizeResponse& response);

}  // namespace terminus::services::decoder::edge
