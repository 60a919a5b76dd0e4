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
  std::vector<absl::StatusOr<media::Image>> images(static_cast<size_t>(count),
                                                   absl::UnknownError("not loaded"));
  pool.ParallelFor(count, [&](int i) {
    const auto slot = static_cast<size_t>(i);
    if (admitted[slot].ok()) {
      images[slot] = Load(request.items(i));
    } else {
      images[slot] = admitted[slot];
    }
  });

  serving::Prepared<executor::ImageBatch> prepared;
  const int width = preprocessor_.width();
  const int height = preprocessor_.height();
  const auto patches =
      static_cast<uint32_t>(((width + kPatch - 1) / kPatch) * ((height + kPatch - 1) / kPatch));
  std::vector<const media::Image*> good;
  for (const auto& image : images) {
    serving::PreparedItem& item = prepared.items.emplace_back();
    item.status = image.status();
    if (image.ok()) {
      item.cost.set_patches(patches);
      good.push_back(&*image);
    }
  }
  prepared.batch = {
      .count = static_cast<int>(good.size()), .height = height, .width = width, .pixels = {}};
  const size_t pixel_bytes = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  base::RecycledBytes& pixels = prepared.batch.pixels;
  // Only now: what is made room for is there, whatever a request says.
  pixels.resize(good.size() * pixel_bytes);
  pool.ParallelFor(prepared.batch.count, [&](int i) {
    const std::vector<uint8_t>& rgb = good[static_cast<size_t>(i)]->rgb;
    std::copy(rgb.begin(), rgb.end(), pixels.begin() + static_cast<int64_t>(i * pixel_bytes));
  });
  return prepared;
}

}  // namespace terminus::services::vision
