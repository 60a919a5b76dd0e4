#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/nn/transformer_config.h"
#include "models/vision/vision_tower.h"

namespace terminus::models::vision {

// How patch vectors become one vector.
enum class VitPooling {
  kClass,      // A class token's, which stands before the patches.
  kAttention,  // A learned query attends to all patches; an MLP follows (SigLIP).
};

// What a checkpoint calls its parts. Null: it has no such part.
struct VitNames {
  const char* class_token = nullptr;  // `hidden` elements, of whatever shape.
  const char* patches = nullptr;      // A convolution's weight and, with patch_bias, bias.
  const char* positions = nullptr;    // [positions, hidden], behind ones if need be.
  const char* pre_norm = nullptr;     // Before the first block.
  const char* layer = nullptr;        // Before a block's number.
  nn::BlockNames block;
  const char* post_norm = nullptr;   // Behind the last block.
  const char* head = nullptr;        // Of kAttention.
  const char* projection = nullptr;  // A linear map without bias behind the pooling.
};

// "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale" (Dosovitskiy et al.,
// 2020), and the encoders that differ from it by the fields here.
struct VitConfig {
  int image_size = 0;  // Of the checkpoint's positions: a square.
  int patch_size = 0;
  nn::TransformerConfig transformer;
  VitPooling pooling = VitPooling::kClass;
  bool patch_bias = true;
  // Positions are interpolated where images have another size; without it they must have this one.
  bool interpolates = false;
  // Dimensions before the positions' own: [1, positions, hidden] rather than [positions, hidden].
  bool batched_positions = false;
  int projection_dim = 0;  // 0: none, the vectors have the hidden size.
  VitNames names;
  weights::TensorNames tensor_names;  // How checkpoints may write them.

  int dimension() const { return projection_dim == 0 ? transformer.hidden() : projection_dim; }
};

class Vit : public VisionTower {
 public:
  // INVALID_ARGUMENT for images of a size that the config does not allow.
  static absl::StatusOr<std::unique_ptr<Vit>> Create(const VitConfig& config,
                                                     const ImageInput& input,
                                                     const nn::Loader& loader);

  absl::Status CheckSize(int height, int width) const override;
  at::Tensor Embed(const executor::ImageBatch& batch) override;
  at::Tensor EmbedPixels(const at::Tensor& pixels) const override;
  absl::Status UseFp8(const at::Tensor& pixels) override;
  int dimension() const override { return config_.dimension(); }

  // Normalised pixels [images, 3, height, width] on the device and in the dtype of the weights →
  // [images, dimension]. Depends on nothing but the tensor, and never waits for the device.
  at::Tensor Forward(const at::Tensor& pixels) const;

 private:
  Vit(const VitConfig& config, const ImageInput& input, const nn::Loader& loader);

  // "Set Transformer" (Lee et al., 2019), pooling by multi-head attention.
  struct AttentionHead {
    at::Tensor query;  // [1, heads, 1, head_dim]
    nn::Linear key_value;
    nn::Linear out;
    nn::LayerNorm norm;
    nn::Mlp mlp;
  };

  static AttentionHead LoadHead(const VitConfig& config, const nn::Loader& loader);

  // A row each, [images · patches, 3 · patch_size²]: of normalised pixels [images, 3, height,
  // width], and of bytes [images, height, width, 3], where zeros may follow in a row.
  at::Tensor Patches(const at::Tensor& pixels) const;
  at::Tensor PatchesOf(const at::Tensor& pixels) const;
  // → what the first block takes: patches and class token with their positions,
  // [images · tokens, hidden].
  at::Tensor EmbedPatches(const at::Tensor& patches, int64_t images) const;
  at::Tensor ForwardPatches(const at::Tensor& patches, int64_t images) const;
  // x [images, tokens, hidden] → [images, hidden].
  at::Tensor AttendTo(const at::Tensor& x) const;

  VitConfig config_;
  ImageInput input_;
  at::ScalarType dtype_;
  nn::Linear patches_;
  at::Tensor class_token_;  // [1, 1, hidden], or undefined.
  at::Tensor positions_;    // [tokens, hidden]
  std::optional<nn::LayerNorm> pre_norm_;
  std::vector<nn::TransformerBlock> blocks_;
  nn::LayerNorm post_norm_;
  std::optional<AttentionHead> head_;
  std::optional<nn::Linear> projection_;
};

}  // namespace terminus::models::vision
