#include "models/vision/efficientnet_lite.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/vision/depth_first.h"
#include "models/vision/layerwise.h"
#include "models/vision/timm_config.h"

namespace terminus::models::vision {
namespace {

// Checkpoints that transformers wrote have it.
constexpr absl::string_view kPrefixes[] = {"timm_model."};

constexpr int kStemChannels = 32;

// The smallest of the family; the others are scaled from it.
constexpr StageConfig kLite0[] = {
    {1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40},  {3, 3, 2, 6, 80},
    {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320},
};

struct Scaling {
  double width;
  double depth;
};
constexpr Scaling kScalings[] = {{1.0, 1.0}, {1.0, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}};

// To the nearest multiple of 8, but never more than a tenth below.
int RoundChannels(double channels) {
  const int rounded = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

std::vector<StageConfig> Scale(const Scaling& scaling) {
  std::vector<StageConfig> stages(std::begin(kLite0), std::end(kLite0));
  for (size_t i = 0; i < stages.size(); ++i) {
    stages[i].channels = RoundChannels(stages[i].channels * scaling.width);
    // The first and the last stage keep their depth.
    if (i > 0 && i + 1 < stages.size()) {
      stages[i].blocks = static_cast<int>(std::ceil(stages[i].blocks * scaling.depth));
    }
  }
  return stages;
}

// Loads a convolution without bias and the batch normalisation behind it.
class Loader {
 public:
  Loader(const EfficientNetLiteConfig& config, const nn::Loader& weights)
      : config_(config), weights_(weights) {}

  Layer Load(const std::string& convolution, const std::string& norm, int in, int out,
             nn::Convolution::Options options) {
    options.padding = config_.padding;
    return LoadLayer(convolution, norm, in, out, options, config_.batch_norm_eps, weights_);
  }

  // An inverted residual: expand, filter each channel, project. Without expansion timm counts the
  // names from the depthwise convolution on.
  std::vector<Layer> LoadBlock(const std::string& prefix, const StageConfig& stage, int stride,
                               int in) {
    std::vector<Layer> block;
    const int inner = in * stage.expansion;
    const bool expands = stage.expansion > 1;
    if (expands) {
      block.push_back(Load(prefix + "conv_pw", prefix + "bn1", in, inner,
                           {.activation = nn::Activation::kRelu6}));
    }
    block.push_back(Load(prefix + "conv_dw", prefix + (expands ? "bn2" : "bn1"), inner, inner,
                         {.kernel = stage.kernel,
                          .stride = stride,
                          .depthwise = true,
                          .activation = nn::Activation::kRelu6}));
    block.push_back(Load(prefix + (expands ? "conv_pwl" : "conv_pw"),
                         prefix + (expands ? "bn3" : "bn2"), inner, stage.channels, {}));
    return block;
  }

 private:
  const EfficientNetLiteConfig& config_;
  const nn::Loader& weights_;
};

// Up to the pooled features.
Layers LoadLayers(const EfficientNetLiteConfig& config, const nn::Loader& weights) {
  Loader loader(config, weights);
  Layers layers;
  layers.stem = loader.Load("conv_stem", "bn1", 3, kStemChannels,
                            {.kernel = 3, .stride = 2, .activation = nn::Activation::kRelu6});
  int in = kStemChannels;
  for (size_t s = 0; s < config.stages.size(); ++s) {
    const StageConfig& stage = config.stages[s];
    for (int b = 0; b < stage.blocks; ++b) {
      const int stride = b == 0 ? stage.stride : 1;
      layers.blocks.push_back(
          {.layers = loader.LoadBlock(absl::StrCat("blocks.", s, ".", b, "."), stage, stride, in),
           .shortcut = stride == 1 && in == stage.channels,
           .projection = {}});
      in = stage.channels;
    }
  }
  layers.head = loader.Load("conv_head", "bn2", in, EfficientNetLite::kFeatures,
                            {.activation = nn::Activation::kRelu6});
  return layers;
}

absl::StatusOr<EfficientNetLiteConfig> LayersOf(const std::string& folder, const TimmConfig& timm) {
  const bool tensorflow = absl::StartsWith(timm.architecture, "tf_");
  const absl::string_view name = absl::StripPrefix(timm.architecture, "tf_");
  EfficientNetLiteConfig config{
      .stages = {},
      .classes = timm.classes,
      .batch_norm_eps = timm.batch_norm_eps.value_or(tensorflow ? 1e-3 : 1e-5),
      .padding = nn::Padding::kSymmetric};
  if (timm.pad_type.value_or(tensorflow ? "same" : "") == "same") {
    config.padding = nn::Padding::kSame;
  }
  for (size_t variant = 0; variant < std::size(kScalings); ++variant) {
    if (name == absl::StrCat("efficientnet_lite", variant)) {
      config.stages = Scale(kScalings[variant]);
    }
  }
  if (config.stages.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, "/config.json: architecture: \"", timm.architecture,
                     "\", supported for images are efficientnet_lite0 to efficientnet_lite4 and "
                     "tf_efficientnet_lite0 to tf_efficientnet_lite4"));
  }
  return config;
}

}  // namespace

absl::StatusOr<VisionPlan> ReadEfficientNetLitePlan(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(const TimmConfig timm, ReadTimmConfig(folder));
  TERMINUS_ASSIGN_OR_RETURN(const EfficientNetLiteConfig config, LayersOf(folder, timm));
  return VisionPlan{
      .dimension = EfficientNetLite::kFeatures,
      .names = {.prefixes = kPrefixes},
      .build = [config](const ImageInput& input,
                        const nn::Loader& loader) -> absl::StatusOr<std::unique_ptr<VisionTower>> {
        TERMINUS_RETURN_IF_ERROR(CheckAnySize(input.height, input.width));
        return std::make_unique<EfficientNetLite>(config, input.transform, loader);
      },
      .timm = timm.preprocessor};
}

EfficientNetLite::EfficientNetLite(const EfficientNetLiteConfig& config,
                                   const kernels::PixelTransform& transform,
                                   const nn::Loader& loader)
    : classes_(config.classes),
      classifier_(loader.GetLinear("classifier", kFeatures, config.classes)) {
  Layers layers = LoadLayers(config, loader);
  if (DepthFirst::Supports(layers)) {
    depth_first_ = std::make_unique<DepthFirst>(std::move(layers), transform,
                                                *kernels::SupportedRowKernels().front());
  } else {
    layerwise_ = std::make_unique<Layerwise>(std::move(layers), transform);
  }
}

at::Tensor EfficientNetLite::EmbedPixels(const at::Tensor& pixels) const {
  TERMINUS_CHECK(layerwise_ != nullptr);
  return layerwise_->FeaturesOf(pixels);
}

}  // namespace terminus::models::vision
