#pragma once

#include <ATen/ATen.h>

#include "common/executor/encoder.h"

namespace terminus::models::vision {

// For tests only: noise, by LibTorch's generator.
inline executor::ImageBatch RandomImages(int count, int height, int width) {
  executor::ImageBatch batch{.count = count, .height = height, .width = width, .pixels = {}};
  const at::Tensor pixels = at::randint(0, 256, {count, height, width, 3}, at::kByte).contiguous();
  batch.pixels.assign(pixels.const_data_ptr<uint8_t>(),
                      pixels.const_data_ptr<uint8_t>() + pixels.numel());
  return batch;
}

}  // namespace terminus::models::vision
