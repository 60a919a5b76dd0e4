#include "services/video/video_frontend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/media/video/sample.h"

namespace terminus::services::video {
namespace {

using media::video::SampledFrames;

constexpr char kField[] = "video";

media::video::TimeRange RangeOf(const v1::Video& video) {
  media::video::TimeRange range;
  if (video.has_start_us()) range.start_us = video.start_us();
  if (video.has_end_us()) range.end_us = video.end_us();
  return range;
}

absl::StatusOr<SampledFrames> Load(const v1::EncodeItem& item, int default_frames,
                                   const config::Limits& limits,
                                   const media::ImagePreprocessor& preprocessor,
                                   const media::video::DecodeOptions& options) {
  if (item.content().kind_case() != v1::Content::kVideo) {
    return base::FieldError(base::kReasonUnsupportedModality, "",
                            "the video service takes videos and nothing else");
  }
  const v1::Video& video = item.content().video();
  const auto bytes = static_cast<int64_t>(video.data().size());
  if (bytes > limits.max_video_bytes) {
    return base::FieldError(base::kReasonVideoTooLarge, kField,
                            absl::StrCat(bytes, " bytes, limit ", limits.max_video_bytes));
  }
  if (video.frames() < 0 || video.frames() > limits.max_video_frames) {
    return base::FieldError(
        base::kReasonVideoTooManyFrames, "video.frames",
        absl::StrCat(video.frames(), " frames, expected 0 to ", limits.max_video_frames));
  }
  auto sampled = media::video::SampleFrames(
      video.data(),
      {.max_pixels = limits.max_video_pixels, .max_duration = limits.max_video_duration},
      {.range = RangeOf(video), .count = video.frames() > 0 ? video.frames() : default_frames},
      preprocessor, options);
  if (absl::IsInvalidArgument(sampled.status())) {
    const std::string member = base::Field(sampled.status());
    return base::FieldError(base::Reason(sampled.status()),
                            member.empty() ? kField : absl::StrCat(kField, ".", member),
                            sampled.status().message());
  }
  return sampled;
}

absl::Status GoOn(absl::Time deadline, const std::function<bool()>& abandoned) {
  if (absl::Now() >= deadline) {
    return base::MakeError(absl::StatusCode::kDeadlineExceeded, base::kReasonDeadline,
                           "the deadline passed while the video was decoded");
  }
  if (abandoned && abandoned()) {
    return base::MakeError(absl::StatusCode::kCancelled, base::kReasonCancelled,
                           "the caller left while the video was decoded");
  }
  return absl::OkStatus();
}

}  // namespace

serving::Prepared<executor::VideoBatch> VideoFrontend::Prepare(
    const v1::EncodeBatchRequest& request, absl::Span<const absl::Status> admitted,
    base::ThreadPool& pool) const {
  const std::vector<absl::Time> never(admitted.size(), absl::InfiniteFuture());
  return PrepareUntil(request, admitted, never, nullptr, pool);
}

serving::Prepared<executor::VideoBatch> VideoFrontend::PrepareUntil(
    const v1::EncodeBatchRequest& request, absl::Span<const absl::Status> admitted,
    absl::Span<const absl::Time> deadlines, const std::function<bool()>& abandoned,
    base::ThreadPool& pool) const {
  const int count = request.items_size();
  std::vector<absl::StatusOr<SampledFrames>> clips(static_cast<size_t>(count),
                                                   absl::UnknownError("not loaded"));
  const auto live = static_cast<int>(std::count_if(admitted.begin(), admitted.end(),
                                                   [](const auto& status) { return status.ok(); }));
  const int threads = std::max(1, pool.size() / std::max(1, live));
  pool.ParallelFor(count, [&](int i) {
    const auto slot = static_cast<size_t>(i);
    if (!admitted[slot].ok()) {
      clips[slot] = admitted[slot];
      return;
    }
    clips[slot] =
        Load(request.items(i), default_frames_, limits_, preprocessor_,
             {.threads = threads, .go_on = [&, slot] { return GoOn(deadlines[slot], abandoned); }});
  });

  serving::Prepared<executor::VideoBatch> prepared;
  executor::VideoBatch& batch = prepared.batch;
  batch.frames.height = preprocessor_.height();
  batch.frames.width = preprocessor_.width();
  batch.offsets = {0};
  for (size_t i = 0; i < clips.size(); ++i) {
    serving::PreparedItem& item = prepared.items.emplace_back();
    item.status = clips[i].status();
    if (!item.status.ok()) {
      continue;
    }
    SampledFrames& clip = *clips[i];
    const int frames = static_cast<int>(clip.times_us.size());
    item.cost.set_frames(static_cast<uint32_t>(frames));
    item.frame_us = std::move(clip.times_us);
    item.per_frame = request.items(static_cast<int>(i)).per_frame();
    batch.per_frame |= item.per_frame;
    batch.frames.count += frames;
    batch.offsets.push_back(batch.frames.count);
    if (batch.frames.pixels.empty()) {
      batch.frames.pixels = std::move(clip.pixels);
    } else {
      batch.frames.pixels.insert(batch.frames.pixels.end(), clip.pixels.begin(), clip.pixels.end());
    }
    clips[i] = absl::UnknownError("taken");
  }
  return prepared;
}

}  // namespace terminus::services::video
