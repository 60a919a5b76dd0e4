#include "models/text/dense_config.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/settings/sentence_files.h"

namespace terminus::models::text {
namespace {

using Activation = DenseConfig::Activation;

constexpr int kMaxFeatures = 1 << 16;

// Of torch.nn, by the path that Python names the class with, or by the short one.
struct ActivationClass {
  absl::string_view path;
  absl::string_view short_path;
  Activation activation;
};

constexpr ActivationClass kActivations[] = {
    {"torch.nn.modules.linear.Identity", "torch.nn.Identity", Activation::kIdentity},
    {"torch.nn.modules.activation.Tanh", "torch.nn.Tanh", Activation::kTanh},
    {"torch.nn.modules.activation.ReLU", "torch.nn.ReLU", Activation::kRelu},
    {"torch.nn.modules.activation.GELU", "torch.nn.GELU", Activation::kGelu},
    {"torch.nn.modules.activation.Sigmoid", "torch.nn.Sigmoid", Activation::kSigmoid},
};

Activation ReadClass(settings::JsonFile& file) {
  const std::string name = file.StringOr("activation_function", "torch.nn.Tanh");
  std::string supported;
  for (const ActivationClass& known : kActivations) {
    if (name == known.path || name == known.short_path) {
      return known.activation;
    }
    absl::StrAppend(&supported, supported.empty() ? "" : ", ", known.short_path);
  }
  file.Fault("activation_function", absl::StrCat("\"", name, "\", supported are ", supported));
  return Activation::kTanh;
}

}  // namespace

absl::StatusOr<DenseConfig> ReadDenseConfig(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(
      auto file, settings::JsonFile::Read(folder + "/config.json", &settings::kDenseModule));
  DenseConfig config{.folder = folder};
  config.in_features = static_cast<int>(file.Int("in_features", 1, kMaxFeatures));
  config.out_features = static_cast<int>(file.Int("out_features", 1, kMaxFeatures));
  config.bias = file.BoolOr("bias", true);
  config.activation = ReadClass(file);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return config;
}

}  // namespace terminus::models::text
