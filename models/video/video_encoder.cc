#include "models/video/video_encoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::models::video {
namespace {

absl::Status CheckOffsets(const executor::VideoBatch& batch) {
  const std::vector<int>& offsets = batch.offsets;
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != batch.frames.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("offsets of clips from ", offsets.empty() ? -1 : offsets.front(), " to ",
                     offsets.empty() ? -1 : offsets.back(), ", expected 0 to the ",
                     batch.frames.count, " frames"));
  }
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] <= offsets[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("clip ", i - 1, " has ", offsets[i] - offsets[i - 1], " frames"));
    }
  }
  return absl::OkStatus();
}

// Adds a frame's vector, scaled to length 1 and by `weight`.
void AddUnit(const float* frame, size_t dimension, double weight, std::vector<double>& sum) {
  const double length = std::sqrt(std::inner_product(frame, frame + dimension, frame, 0.0));
  if (length == 0) {
    return;
  }
  for (size_t i = 0; i < dimension; ++i) {
    sum[i] += frame[i] * weight / length;
  }
}

}  // namespace

absl::StatusOr<executor::Embeddings> VideoEncoder::Encode(const executor::VideoBatch& batch) {
  TERMINUS_RETURN_IF_ERROR(CheckOffsets(batch));
  TERMINUS_ASSIGN_OR_RETURN(executor::Embeddings frames, tower_->Encode(batch.frames));
  const size_t clips = batch.offsets.size() - 1;
  const auto dimension = static_cast<size_t>(frames.dimension);
  executor::Embeddings out{.count = static_cast<int>(clips), .dimension = frames.dimension};
  out.values.reserve(clips * dimension);
  std::vector<double> sum(dimension);
  for (size_t clip = 0; clip < clips; ++clip) {
    std::fill(sum.begin(), sum.end(), 0.0);
    const auto begin = static_cast<size_t>(batch.offsets[clip]);
    const auto end = static_cast<size_t>(batch.offsets[clip + 1]);
    switch (pooling_) {
      case Pooling::kMean:
        for (size_t frame = begin; frame < end; ++frame) {
          AddUnit(&frames.values[frame * dimension], dimension,
                  1.0 / static_cast<double>(end - begin), sum);
        }
        break;
    }
    out.values.insert(out.values.end(), sum.begin(), sum.end());
  }
  if (batch.per_frame) {
    out.frame_values = std::move(frames.values);
  }
  return out;
}

}  // namespace terminus::models::video
