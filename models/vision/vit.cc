#include "models/vision/vit.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/nn/cuda_ops.h"

namespace terminus::models::vision {
namespace {

// The positions of patches [side², hidden] for a grid of another size, as transformers does it.
at::Tensor Interpolate(const at::Tensor& positions, int64_t side, int64_t rows, int64_t columns) {
  const at::Tensor grid = positions.view({1, side, side, positions.size(1)}).permute({0, 3, 1, 2});
  const std::array<int64_t, 2> size = {rows, columns};
  return at::upsample_bicubic2d(grid, size, /*align_corners=*/false)
      .permute({0, 2, 3, 1})
      .reshape({rows * columns, -1});
}

at::Tensor LoadPositions(const VitConfig& config, const ImageInput& input,
                         const nn::Loader& loader) {
  const int64_t side = config.image_size / config.patch_size;
  const int64_t extra = config.names.class_token == nullptr ? 0 : 1;
  const int64_t count = side * side + extra;
  const int64_t hidden = config.transformer.hidden();
  const std::string name = config.names.positions;
  const std::vector<int64_t> shape = config.batched_positions
                                         ? std::vector<int64_t>{1, count, hidden}
                                         : std::vector<int64_t>{count, hidden};
  const at::Tensor all = loader.GetFloat(name, shape).view({count, hidden});
  const int64_t rows = input.height / config.patch_size;
  const int64_t columns = input.width / config.patch_size;
  if (rows == side && columns == side) {
    return all.to(loader.dtype(), /*non_blocking=*/false, /*copy=*/true);
  }
  const at::Tensor patches = all.slice(0, extra, count).contiguous();
  return at::cat({all.slice(0, 0, extra), Interpolate(patches, side, rows, columns)})
      .to(loader.dtype());
}

// The convolution of a kernel as large as its stride, as a product with whole patches.
nn::Linear LoadPatches(const VitConfig& config, const nn::Loader& loader) {
  const int64_t hidden = config.transformer.hidden();
  const int64_t side = config.patch_size;
  const std::string name = config.names.patches;
  const at::Tensor weight = loader.GetFloat(name + ".weight", {hidden, 3, side, side}).flatten(1);
  if (!config.patch_bias) {
    return loader.MakeLinear(weight, std::nullopt);
  }
  return loader.MakeLinear(weight, loader.GetFloat(name + ".bias", {hidden}));
}

nn::Sequences SequencesOf(const at::Tensor& x, int64_t images) {
  return nn::Sequences::OfLength(images, x.size(0) / images, x.device());
}

absl::Status WrongSize(int height, int width, const std::string& expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("images of ", width, "×", height, " pixels, expected ", expected));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Vit>> Vit::Create(const VitConfig& config, const ImageInput& input,
                                                 const nn::Loader& loader) {
  if (config.interpolates) {
    if (input.height < config.patch_size || input.width < config.patch_size) {
      return WrongSize(input.height, input.width,
                       absl::StrCat("at least the patch_size of ", config.patch_size, " a side"));
    }
    TERMINUS_RETURN_IF_ERROR(CheckAnySize(input.height, input.width));
  } else if (input.height != config.image_size || input.width != config.image_size) {
    return WrongSize(input.height, input.width,
                     absl::StrCat("the image_size of ", config.image_size, "×", config.image_size));
  }
  return std::unique_ptr<Vit>(new Vit(config, input, loader));
}

Vit::Vit(const VitConfig& config, const ImageInput& input, const nn::Loader& loader)
    : config_(config),
      input_(input),
      dtype_(loader.dtype()),
      patches_(LoadPatches(config, loader)),
      positions_(LoadPositions(config, input, loader)),
      post_norm_(loader.GetNorm(config.names.post_norm, config.transformer.hidden(),
                                config.transformer.block.layer_norm_eps)) {
  const VitNames& names = config.names;
  const int64_t hidden = config.transformer.hidden();
  if (names.class_token != nullptr) {
    const std::vector<int64_t> shape = config.batched_positions ? std::vector<int64_t>{1, 1, hidden}
                                                                : std::vector<int64_t>{hidden};
    class_token_ = loader.Get(names.class_token, shape).view({1, 1, hidden});
  }
  if (names.pre_norm != nullptr) {
    pre_norm_ = loader.GetNorm(names.pre_norm, hidden, config.transformer.block.layer_norm_eps);
  }
  for (int i = 0; i < config.transformer.layers; ++i) {
    blocks_.emplace_back(config.transformer.block, names.block, absl::StrCat(names.layer, i, "."),
                         loader);
  }
  if (config.pooling == VitPooling::kAttention) {
    head_ = LoadHead(config, loader);
  }
  if (config.projection_dim != 0) {
    projection_ = loader.GetLinear(names.projection, hidden, config.projection_dim, /*bias=*/false);
  }
}

Vit::AttentionHead Vit::LoadHead(const VitConfig& config, const nn::Loader& loader) {
  const nn::BlockConfig& block = config.transformer.block;
  const int64_t hidden = config.transformer.hidden();
  const std::string prefix = absl::StrCat(config.names.head, ".");
  const at::Tensor weight =
      loader.GetFloat(prefix + "attention.in_proj_weight", {3 * hidden, hidden});
  const at::Tensor bias = loader.GetFloat(prefix + "attention.in_proj_bias", {3 * hidden});
  const at::Tensor probe = loader.GetFloat(prefix + "probe", {1, 1, hidden}).view({1, hidden});
  // The query is the same for all images.
  const at::Tensor query = at::linear(probe, weight.slice(0, 0, hidden), bias.slice(0, 0, hidden));
  return {.query = query.view({1, block.heads, 1, -1}).to(loader.dtype()),
          .key_value = loader.MakeLinear(weight.slice(0, hidden), bias.slice(0, hidden)),
          .out = loader.GetLinear(prefix + "attention.out_proj", hidden, hidden),
          .norm = loader.GetNorm(prefix + "layernorm", hidden, block.layer_norm_eps),
          .mlp = nn::Mlp::Load(block.mlp, prefix + "mlp.fc1", prefix + "mlp.fc2", {}, loader)};
}

absl::Status Vit::CheckSize(int height, int width) const {
  if (height == input_.height && width == input_.width) {
    return absl::OkStatus();
  }
  return WrongSize(height, width, absl::StrCat(input_.width, "×", input_.height));
}

at::Tensor Vit::Embed(const executor::ImageBatch& batch) {
  return Forward(Normalize(batch, input_.transform).permute({0, 3, 1, 2}).to(dtype_));
}

at::Tensor Vit::EmbedPixels(const at::Tensor& pixels) const {
  return ForwardPatches(PatchesOf(pixels), pixels.size(0));
}

absl::Status Vit::UseFp8(const at::Tensor& pixels) {
  at::Tensor x = EmbedPatches(PatchesOf(pixels), pixels.size(0));
  const auto sequences = SequencesOf(x, pixels.size(0));
  for (nn::TransformerBlock& block : blocks_) {
    if (!block.UseFp8(x, sequences)) {
      return absl::UnimplementedError(
          "products in FP8 need a GPU, bfloat16, and sizes that are multiples of 16");
    }
  }
  return absl::OkStatus();
}

at::Tensor Vit::PatchesOf(const at::Tensor& pixels) const {
  if (nn::cuda_ops::Serves(pixels.device(), dtype_)) {
    return nn::cuda_ops::Patches(pixels, input_.transform, config_.patch_size);
  }
  return Patches(NormalizePixels(pixels, input_.transform, dtype_).permute({0, 3, 1, 2}));
}

at::Tensor Vit::Patches(const at::Tensor& pixels) const {
  const int64_t side = config_.patch_size;
  const int64_t rows = pixels.size(2) / side;
  const int64_t columns = pixels.size(3) / side;
  // What does not fill a patch at the end is not looked at.
  return pixels.slice(2, 0, rows * side)
      .slice(3, 0, columns * side)
      .reshape({pixels.size(0), 3, rows, side, columns, side})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({pixels.size(0) * rows * columns, 3 * side * side});
}

at::Tensor Vit::EmbedPatches(const at::Tensor& patches, int64_t images) const {
  at::Tensor x = patches_.Forward(patches).view({images, patches.size(0) / images, -1});
  if (class_token_.defined()) {
    x = at::cat({class_token_.expand({images, 1, -1}), x}, 1);
  }
  x = x.add_(positions_).view({-1, x.size(2)});
  return pre_norm_ ? pre_norm_->Forward(x) : x;
}

at::Tensor Vit::AttendTo(const at::Tensor& x) const {
  const int64_t images = x.size(0);
  const int64_t hidden = x.size(2);
  const int64_t heads = config_.transformer.block.heads;
  // [2, images, heads, tokens, head_dim]
  const at::Tensor key_value = head_->key_value.Forward(x.view({-1, hidden}))
                                   .view({images, -1, 2, heads, hidden / heads})
                                   .permute({2, 0, 3, 1, 4});
  const at::Tensor attended = at::scaled_dot_product_attention(
      head_->query.expand({images, -1, -1, -1}), key_value[0], key_value[1]);
  const at::Tensor y = head_->out.Forward(attended.reshape({images, hidden}));
  return head_->mlp.ForwardAdd(head_->norm.Forward(y), y);
}

at::Tensor Vit::Forward(const at::Tensor& pixels) const {
  return ForwardPatches(Patches(pixels), pixels.size(0));
}

at::Tensor Vit::ForwardPatches(const at::Tensor& patches, int64_t images) const {
  at::Tensor x = EmbedPatches(patches, images);
  const nn::Sequences sequences = SequencesOf(x, images);
  const bool class_only = config_.pooling == VitPooling::kClass;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (class_only && i + 1 == blocks_.size()) {
      const at::Tensor rows =
          at::arange(images, x.options().dtype(at::kLong)).mul_(sequences.longest());
      x = blocks_[i].ForwardRows(x, sequences, rows);
    } else {
      x = blocks_[i].Forward(x, sequences);
    }
  }
  x = class_only ? post_norm_.Forward(x)
                 : AttendTo(post_norm_.Forward(x.view({images, -1, x.size(1)})));
  return projection_ ? projection_->Forward(x) : x;
}

}  // namespace terminus::models::vision
