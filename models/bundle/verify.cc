#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/media/decode.h"
#include "models/bundle/bundle.h"
#include "models/bundle/golden.h"

namespace terminus::models::bundle {
namespace {

constexpr size_t kMaxImageBytes = 20 << 20;

// Texts of different lengths for a model without goldens of its own.
std::vector<GoldenCase> StandInTexts() {
  return {{"a"}, {"a cat"}, {"The quick brown fox jumps over the lazy dog, again and again."}};
}

// Pictures of the model's own size for one without: two ramps of different steepness.
executor::ImageBatch StandInImages(int height, int width) {
  executor::ImageBatch batch{.count = 2, .height = height, .width = width};
  const size_t bytes = static_cast<size_t>(height) * width * 3;
  batch.pixels.resize(2 * bytes);
  for (size_t i = 0; i < batch.pixels.size(); ++i) {
    batch.pixels[i] = static_cast<uint8_t>(i < bytes ? i / 7 : i * 5);
  }
  return batch;
}

absl::StatusOr<executor::ImageBatch> ReadImages(const std::vector<GoldenCase>& cases,
                                                const media::ImagePreprocessor& preprocessor) {
  executor::ImageBatch batch{.count = static_cast<int>(cases.size()),
                             .height = preprocessor.height(),
                             .width = preprocessor.width()};
  for (const GoldenCase& golden : cases) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string bytes,
                              base::ReadFile(golden.input, kMaxImageBytes));
    const auto image = media::DecodeImage(bytes, {}, preprocessor.conversion());
    TERMINUS_RETURN_IF_ERROR(base::Annotate(image.status(), golden.input));
    const media::Image ready = preprocessor.Run(*image);
    batch.pixels.insert(batch.pixels.end(), ready.rgb.begin(), ready.rgb.end());
  }
  return batch;
}

}  // namespace

absl::Status VerifyText(const BundleManifest& manifest, const TextModel& model,
                        VerifyReport* report) {
  TERMINUS_ASSIGN_OR_RETURN(Goldens goldens, GoldensOf(manifest));
  if (goldens.texts.empty()) {
    goldens.texts = StandInTexts();
  }
  std::vector<std::vector<int32_t>> token_ids;
  for (const GoldenCase& golden : goldens.texts) {
    TERMINUS_ASSIGN_OR_RETURN(tokenizer::Encoding encoding,
                              model.tokenizer->Encode(golden.input, model.max_tokens));
    token_ids.push_back(std::move(encoding.ids));
  }
  return executor::RunGuarded([&] {
    return CompareGoldens(
        goldens.texts, std::max(goldens.tolerance, model.tolerance),
        [&](absl::Span<const size_t> indices) {
          executor::TextBatch batch;
          for (const size_t i : indices) {
            batch.token_ids.push_back(token_ids[i]);
          }
          return model.encoder->Encode(batch);
        },
        report);
  });
}

absl::Status VerifyVision(const BundleManifest& manifest, const VisionModel& model,
                          VerifyReport* report) {
  TERMINUS_ASSIGN_OR_RETURN(Goldens goldens, GoldensOf(manifest));
  executor::ImageBatch images;
  if (goldens.images.empty()) {
    goldens.images = {{"first stand-in"}, {"second stand-in"}};
    images = StandInImages(model.preprocessor->height(), model.preprocessor->width());
  } else {
    TERMINUS_ASSIGN_OR_RETURN(images, ReadImages(goldens.images, *model.preprocessor));
  }
  const size_t bytes = images.pixels.size() / goldens.images.size();
  return executor::RunGuarded([&] {
    return CompareGoldens(
        goldens.images, std::max(goldens.tolerance, model.tolerance),
        [&](absl::Span<const size_t> indices) {
          executor::ImageBatch batch{.count = static_cast<int>(indices.size()),
                                     .height = images.height,
                                     .width = images.width};
          for (const size_t i : indices) {
            const auto begin = images.pixels.begin() + static_cast<int64_t>(i * bytes);
            batch.pixels.insert(batch.pixels.end(), begin, begin + static_cast<int64_t>(bytes));
          }
          return model.encoder->Encode(batch);
        },
        report);
  });
}

}  // namespace terminus::models::bundle
