#include "models/text/text_tower.h"

#include "models/nn/to_device.h"

namespace terminus::models::text {

TextInputs ToDevice(const PackedTexts& texts, at::Device device) {
  return {.ids = nn::ToDevice(texts.ids, device),
          .positions = nn::ToDevice(texts.positions, device),
          .sequences = nn::Sequences(texts.offsets, device),
          .pooled = texts.pooled.empty() ? at::Tensor() : nn::ToDevice(texts.pooled, device)};
}

}  // namespace terminus::models::text
