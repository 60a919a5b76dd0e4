#include "common/media/video/sample.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::media::video {
namespace {

absl::StatusOr<std::vector<int64_t>> TimesOf(const Clip& clip, const SampleRequest& request) {
  // Also checks the range.
  TERMINUS_ASSIGN_OR_RETURN(std::vector<int64_t> times,
                            clip.UniformTimes(request.range, std::max(1, request.count)));
  if (request.times_us.empty()) return times;
  const int64_t start = request.range.start_us.value_or(0);
  const int64_t end = request.range.end_us.value_or(clip.duration_us());
  for (const int64_t time : request.times_us) {
    if (time < start || time >= end) {
      return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonVideoRange,
                             absl::StrCat("the time ", time, " µs is outside the range from ",
                                          start, " to ", end, " µs"));
    }
  }
  return request.times_us;
}

}  // namespace

absl::StatusOr<SampledFrames> SampleFrames(absl::string_view bytes, const VideoLimits& limits,
                                           const SampleRequest& request,
                                           const ImagePreprocessor& preprocessor,
                                           const DecodeOptions& options) {
  TERMINUS_ASSIGN_OR_RETURN(const Clip clip, Clip::Open(bytes, limits, options.go_on));
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<int64_t> times, TimesOf(clip, request));
  const size_t frame_bytes = static_cast<size_t>(preprocessor.width()) * preprocessor.height() * 3;
  SampledFrames sampled;
  sampled.pixels.resize(times.size() * frame_bytes, 0);
  TERMINUS_ASSIGN_OR_RETURN(
      sampled.times_us,
      clip.Decode(times, options, [&](absl::Span<const size_t> places, const Image& frame) {
        const Image ready = preprocessor.Run(frame);
        for (const size_t place : places) {
          std::copy(ready.rgb.begin(), ready.rgb.end(), &sampled.pixels[place * frame_bytes]);
        }
      }));
  return sampled;
}

}  // namespace terminus::media::video
