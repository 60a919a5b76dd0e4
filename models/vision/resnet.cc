#include "models/vision/resnet.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"
#include "models/kernels/simd_width.h"
#include "models/settings/vision_config.h"
#include "models/vision/dense_backbone.h"

namespace terminus::models::vision {
namespace {

using settings::JsonFile;

// That of torch's BatchNorm2d, which the config has no key for.
constexpr double kBatchNormEps = 1e-5;
// Channels of a block over those inside of its bottleneck.
constexpr int kReduction = 4;

// A list of one integer for each stage.
std::vector<int> ReadStages(JsonFile& file, const std::string& key, int64_t max,
                            std::vector<int> otherwise) {
  const nlohmann::json* list = file.Find(key);
  if (list == nullptr) {
    return otherwise;
  }
  std::vector<int> values;
  for (const nlohmann::json& value : *list) {
    if (value.is_number_integer() && value.get<int64_t>() >= 1 && value.get<int64_t>() <= max) {
      values.push_back(value.get<int>());
    }
  }
  if (!list->is_array() || values.empty() || values.size() != list->size()) {
    file.Fault(key, absl::StrCat("expected a list of integers from 1 to ", max));
    return otherwise;
  }
  return values;
}

absl::StatusOr<ResNetConfig> ReadConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                            JsonFile::Read(folder + "/config.json", &settings::kResNetConfig));
  ResNetConfig config;
  config.stem_channels = static_cast<int>(file.IntOr("embedding_size", 1, 1 << 16, 64));
  config.channels = ReadStages(file, "hidden_sizes", 1 << 16, {256, 512, 1024, 2048});
  config.depths = ReadStages(file, "depths", 1024, {3, 4, 6, 3});
  const std::string type = file.StringOr("layer_type", "bottleneck");
  config.bottleneck = type == "bottleneck";
  if (!config.bottleneck && type != "basic") {
    file.Fault("layer_type",
               absl::StrCat("\"", type, "\", supported are \"basic\" and \"bottleneck\""));
  }
  config.downsample_first_stage = file.BoolOr("downsample_in_first_stage", false);
  config.downsample_first_layer = file.BoolOr("downsample_in_bottleneck", false);
  if (config.channels.size() != config.depths.size()) {
    file.Fault("depths", absl::StrCat(config.depths.size(), " stages, hidden_sizes has ",
                                      config.channels.size()));
  }
  for (const int channels : config.channels) {
    if (config.bottleneck && channels < kReduction) {
      file.Fault("hidden_sizes", absl::StrCat(channels, ", expected at least ", kReduction));
    }
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

// Checkpoints of a ResNetForImageClassification have it.
constexpr absl::string_view kPrefixes[] = {"resnet."};

// A convolution and its normalisation as transformers names them together.
Layer Load(const std::string& name, int in, int out, const nn::Convolution::Options& options,
           const nn::Loader& loader) {
  return LoadLayer(name + ".convolution", name + ".normalization", in, out, options, kBatchNormEps,
                   loader);
}

Block LoadBlock(const ResNetConfig& config, const std::string& prefix, int in, int out, int stride,
                const nn::Loader& loader) {
  constexpr nn::Activation kRelu = nn::Activation::kRelu;
  Block block{.layers = {}, .shortcut = true, .projection = {}, .activation = kRelu};
  const auto add = [&](int from, int to, const nn::Convolution::Options& options) {
    block.layers.push_back(
        Load(absl::StrCat(prefix, "layer.", block.layers.size()), from, to, options, loader));
  };
  if (config.bottleneck) {
    const int inner = out / kReduction;
    const int first = config.downsample_first_layer ? stride : 1;
    add(in, inner, {.kernel = 1, .stride = first, .activation = kRelu});
    add(inner, inner, {.kernel = 3, .stride = stride / first, .activation = kRelu});
    add(inner, out, {.kernel = 1});
  } else {
    add(in, out, {.kernel = 3, .stride = stride, .activation = kRelu});
    add(out, out, {.kernel = 3});
  }
  if (in != out || stride != 1) {
    block.projection = Load(prefix + "shortcut", in, out, {.kernel = 1, .stride = stride}, loader);
  }
  return block;
}

Layers LoadLayers(const ResNetConfig& config, const nn::Loader& loader) {
  Layers layers{
      .stem = Load("embedder.embedder", 3, config.stem_channels,
                   {.kernel = 7, .stride = 2, .activation = nn::Activation::kRelu}, loader),
      .max_pool = true,
      .blocks = {},
      .head = {}};
  int in = config.stem_channels;
  for (size_t s = 0; s < config.channels.size(); ++s) {
    for (int b = 0; b < config.depths[s]; ++b) {
      const bool halves = b == 0 && (s > 0 || config.downsample_first_stage);
      layers.blocks.push_back(LoadBlock(config,
                                        absl::StrCat("encoder.stages.", s, ".layers.", b, "."), in,
                                        config.channels[s], halves ? 2 : 1, loader));
      in = config.channels[s];
    }
  }
  return layers;
}

}  // namespace

absl::StatusOr<VisionPlan> ReadResNetPlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(const ResNetConfig config, ReadConfig(folder));
  return VisionPlan{
      .dimension = config.channels.back(),
      .names = {.prefixes = kPrefixes},
      .build = [config](const ImageInput& input,
                        const nn::Loader& loader) -> absl::StatusOr<std::unique_ptr<VisionTower>> {
        TERMINUS_RETURN_IF_ERROR(CheckAnySize(input.height, input.width));
        return std::make_unique<ResNet>(config, input.transform, loader);
      }};
}

ResNet::ResNet(const ResNetConfig& config, const kernels::PixelTransform& transform,
               const nn::Loader& loader)
    : config_(config) {
  Layers layers = LoadLayers(config, loader);
  // Without vectors of its own, LibTorch's convolutions are the faster ones.
  if (kernels::SimdWidth() > 0 && DenseBackbone::Supports(layers)) {
    backbone_ = std::make_unique<DenseBackbone>(std::move(layers), transform,
                                                *kernels::SupportedRowKernels().front());
  } else {
    auto layerwise = std::make_unique<Layerwise>(std::move(layers), transform);
    layerwise_ = layerwise.get();
    backbone_ = std::move(layerwise);
  }
  // The head is needed by a projection alone: one of another kind is as good as none.
  const auto shape = loader.ShapeOf("classifier.1.weight");
  if (shape && shape->size() == 2 && shape->back() == config.channels.back() &&
      loader.ShapeOf("classifier.1.bias") == std::vector<int64_t>{shape->front()}) {
    classes_ = static_cast<int>(shape->front());
    classifier_ = loader.GetLinear("classifier.1", config.channels.back(), classes_);
  }
}

at::Tensor ResNet::EmbedPixels(const at::Tensor& pixels) const {
  TERMINUS_CHECK(layerwise_ != nullptr);
  return layerwise_->FeaturesOf(pixels);
}

}  // namespace terminus::models::vision
