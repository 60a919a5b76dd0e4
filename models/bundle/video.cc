// Apart from the others, so that only who serves videos links the libraries that decode them.
#include <algorithm>
#include <utility>

#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/media/video/sample.h"
#include "models/bundle/bundle.h"
#include "models/bundle/golden.h"
#include "models/bundle/tower.h"
#include "models/video/video_encoder.h"

namespace terminus::models::bundle {
namespace {

constexpr size_t kMaxVideoBytes = 50 << 20;

// Frames of the model's own size for one without goldens: two clips of different length.
executor::VideoBatch StandInClips(const VideoModel& model) {
  const int frames = model.frames + 1;
  executor::VideoBatch batch{.frames = {.count = frames,
                                        .height = model.preprocessor->height(),
                                        .width = model.preprocessor->width()},
                             .offsets = {0, 1, frames}};
  const size_t bytes = static_cast<size_t>(batch.frames.height) * batch.frames.width * 3;
  batch.frames.pixels.resize(static_cast<size_t>(frames) * bytes);
  for (size_t i = 0; i < batch.frames.pixels.size(); ++i) {
    batch.frames.pixels[i] = static_cast<uint8_t>(i / (1 + i / bytes));
  }
  return batch;
}

absl::StatusOr<executor::VideoBatch> ReadClips(const std::vector<GoldenCase>& cases,
                                               const VideoModel& model) {
  executor::VideoBatch batch{
      .frames = {.height = model.preprocessor->height(), .width = model.preprocessor->width()},
      .offsets = {0}};
  for (const GoldenCase& golden : cases) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string bytes,
                              base::ReadFile(golden.input, kMaxVideoBytes));
    const auto sampled =
        media::video::SampleFrames(bytes, {}, {.count = model.frames}, *model.preprocessor, {});
    TERMINUS_RETURN_IF_ERROR(base::Annotate(sampled.status(), golden.input));
    batch.frames.pixels.insert(batch.frames.pixels.end(), sampled->pixels.begin(),
                               sampled->pixels.end());
    batch.frames.count += model.frames;
    batch.offsets.push_back(batch.frames.count);
  }
  return batch;
}

// The clips of `all` that `indices` name.
executor::VideoBatch Select(const executor::VideoBatch& all, absl::Span<const size_t> indices) {
  executor::VideoBatch batch{.frames = {.height = all.frames.height, .width = all.frames.width},
                             .offsets = {0}};
  const auto bytes = static_cast<int64_t>(all.frames.height) * all.frames.width * 3;
  for (const size_t i : indices) {
    const auto begin = all.frames.pixels.begin();
    batch.frames.pixels.insert(batch.frames.pixels.end(), begin + all.offsets[i] * bytes,
                               begin + all.offsets[i + 1] * bytes);
    batch.frames.count += all.offsets[i + 1] - all.offsets[i];
    batch.offsets.push_back(batch.frames.count);
  }
  return batch;
}

}  // namespace

absl::StatusOr<VideoModel> LoadVideo(const BundleManifest& manifest, const DeviceOptions& options) {
  if (!manifest.video) {
    return NoSection(manifest, "video");
  }
  TERMINUS_ASSIGN_OR_RETURN(VisionModel tower, LoadTower(manifest, manifest.video->tower,
                                                         manifest.video->projection, options));
  return VideoModel{.encoder = std::make_unique<video::VideoEncoder>(std::move(tower.encoder),
                                                                     video::Pooling::kMean),
                    .preprocessor = std::move(tower.preprocessor),
                    .frames = manifest.video->frames,
                    .device = std::move(tower.device),
                    .tolerance = tower.tolerance};
}

absl::Status VerifyVideo(const BundleManifest& manifest, const VideoModel& model,
                         VerifyReport* report) {
  TERMINUS_ASSIGN_OR_RETURN(Goldens goldens, GoldensOf(manifest));
  executor::VideoBatch clips;
  if (goldens.videos.empty()) {
    goldens.videos = {{"first stand-in"}, {"second stand-in"}};
    clips = StandInClips(model);
  } else {
    TERMINUS_ASSIGN_OR_RETURN(clips, ReadClips(goldens.videos, model));
  }
  return executor::RunGuarded([&] {
    return CompareGoldens(
        goldens.videos, std::max(goldens.tolerance, model.tolerance),
        [&](absl::Span<const size_t> indices) {
          return model.encoder->Encode(Select(clips, indices));
        },
        report);
  });
}

}  // namespace terminus::models::bundle
