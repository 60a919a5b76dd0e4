#include "models/decoder/aten_rope.h"

namespace terminus::models::decoder {

AtenRope::AtenRope(const LlamaConfig& config, at::Device device)
    : frequencies_(at::tensor(RopeFrequencies(config.rope, config.head_dim)).to(device)),
      factor_(config.rope.attention_factor) {}

AtenRope::Angles AtenRope::At(const at::Tensor& positions, at::ScalarType dtype) const {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies_.unsqueeze(0);
  const at::Tensor both = at::cat({angles, angles}, -1).unsqueeze(1);
  return {.cos = (both.cos() * factor_).to(dtype), .sin = (both.sin() * factor_).to(dtype)};
}

at::Tensor AtenRope::Rotate(const at::Tensor& x, const Angles& angles) {
  const auto halves = x.chunk(2, -1);
  return x * angles.cos + at::cat({-halves[1], halves[0]}, -1) * angles.sin;
}

}  // namespace terminus::models::decoder
