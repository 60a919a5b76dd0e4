#pragma once

#include <nlohmann/json.hpp>

#include "common/executor/encoder.h"
#include "common/media/preprocessor.h"
#include "models/checkpoint/fake_checkpoint.h"

// For tests only: what the goldens of image models were made of.
namespace terminus::models::vision {

inline media::ImagePreprocessor GoldenPreprocessor(const nlohmann::json& golden) {
  return media::ImagePreprocessor::FromJson(
             nlohmann::json({{"do_resize", true},
                             {"size", {{"height", golden["height"]}, {"width", golden["width"]}}},
                             {"do_center_crop", false},
                             {"do_normalize", true},
                             {"image_mean", golden["mean"]},
                             {"image_std", golden["std"]}})
                 .dump())
      .value();
}

// Images [first, first + count) of the made-up ones.
inline executor::ImageBatch GoldenImages(const nlohmann::json& golden, int first, int count) {
  executor::ImageBatch batch{.count = count, .height = golden["height"], .width = golden["width"]};
  const size_t bytes = static_cast<size_t>(batch.height) * batch.width * 3;
  for (size_t i = first * bytes; i < (first + count) * bytes; ++i) {
    batch.pixels.push_back(static_cast<uint8_t>(checkpoint::FakeHash(7, static_cast<uint32_t>(i))));
  }
  return batch;
}

}  // namespace terminus::models::vision
