#include "services/vision/vision_frontend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"

namespace terminus::services::vision {
namespace {

constexpr char kField[] = "image";
// Cost of a convolutional encoder is counted in cells of this side; see Cost in embedding.proto.
constexpr int kPatch = 32;

}  // namespace

absl::StatusOr<media::Image> VisionFrontend::Load(const v1::EncodeItem& item) const {
  const v1::Content& content = item.content();
  if (content.kind_case() != v1::Content::kImage) {
    return base::FieldError(base::kReasonUnsupportedModality, "",
                            "the vision service takes images and nothing else");
  }
  const std::string& bytes = content.image();
  if (static_cast<int64_t>(bytes.size()) > limits_.max_image_bytes) {
    return base::FieldError(base::kReasonImageTooLarge, kField,
                            absl::StrCat(bytes.size(), " bytes, limit ", limits_.max_image_bytes));
  }
  auto image = media::DecodeImage(bytes, {.max_pixels = limits_.max_image_pixels},
                                  preprocessor_.conversion());
  if (!image.ok()) {
    return base::FieldError(base::Reason(image.status()), kField, image.status().message());
  }
  return preprocessor_.Run(*image);
}

serving::Prepared<executor::ImageBatch> VisionFrontend::Prepare(
    const v1::EncodeBatchRequest& request, absl::Span<const absl::Status> admitted,
    base::ThreadPool& pool) const {
  const int count = request.items_size();
  const int width = preprocessor_.width();
  const int height = preprocessor_.height();
  const size_t pixel_bytes = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  serving::Prepared<executor::ImageBatch> prepared;
  prepared.batch = {.count = 0, .height = height, .width = width};
  base::RecycledBytes& pixels = prepared.batch.pixels;
  pixels.resize(static_cast<size_t>(count) * pixel_bytes);
  std::vector<absl::Status> loaded(admitted.begin(), admitted.end());
  pool.ParallelFor(count, [&](int i) {
    const auto slot = static_cast<size_t>(i);
    if (!loaded[slot].ok()) {
      return;
    }
    const absl::StatusOr<media::Image> image = Load(request.items(i));
    loaded[slot] = image.status();
    if (image.ok()) {
      std::copy(image->rgb.begin(), image->rgb.end(), &pixels[slot * pixel_bytes]);
    }
  });

  const auto patches =
      static_cast<uint32_t>(((width + kPatch - 1) / kPatch) * ((height + kPatch - 1) / kPatch));
  size_t good = 0;
  for (size_t slot = 0; slot < loaded.size(); ++slot) {
    serving::PreparedItem& item = prepared.items.emplace_back();
    item.status = std::move(loaded[slot]);
    if (!item.status.ok()) {
      continue;
    }
    item.cost.set_patches(patches);
    // Into the place of those that are missing.
    if (good != slot) {
      std::copy_n(&pixels[slot * pixel_bytes], pixel_bytes, &pixels[good * pixel_bytes]);
    }
    ++good;
  }
  pixels.resize(good * pixel_bytes);
  prepared.batch.count = static_cast<int>(good);
  return prepared;
}

}  // namespace terminus::services::vision
