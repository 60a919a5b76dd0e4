#include "tools/verify/facts.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/media/preprocessor_config.h"
#include "common/settings/collector.h"
#include "common/tokenizer/tokenizer.h"
#include "common/weights/tensor_map.h"
#include "models/catalog/catalog.h"
#include "tools/verify/model_files.h"

namespace terminus::tools::verify {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using models::catalog::Family;

// Of a bundle.yaml.
constexpr size_t kMaxConfigBytes = 1 << 20;

const char* const kSizes[] = {
    "hidden_size",     "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim",        "intermediate_size", "vocab_size",          "max_position_embeddings",
    "type_vocab_size", "image_size",        "patch_size",          "projection_dim",
    "num_features",    "num_classes"};

void AddSizes(const Json& config, const std::string& prefix, ModelFacts* facts) {
  if (!config.is_object()) return;
  for (const char* key : kSizes) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_primitive() && !found->is_null()) {
      facts->sizes.emplace_back(prefix + key, found->dump());
    }
  }
}

const Family* ReadFamily(const Json& config, bool has_modules, ModelFacts* facts) {
  AddSizes(config, "", facts);
  for (const char* tower : {"text_config", "vision_config"}) {
    AddSizes(At(config, tower), absl::StrCat(tower, "."), facts);
  }
  // A timm file has an architecture; it may name a model_type too.
  const std::string architecture = StringAt(config, "architecture");
  facts->family = architecture.empty() ? StringAt(config, "model_type") : architecture;
  const auto family = models::catalog::FindFamily(config, has_modules);
  return family.ok() ? *family : nullptr;
}

// Whole numbers of these widths are positions and counters, not weights.
bool IsWeight(weights::DType dtype) {
  using weights::DType;
  return dtype != DType::kBool && dtype != DType::kInt32 && dtype != DType::kUInt32 &&
         dtype != DType::kInt64 && dtype != DType::kUInt64;
}

void ReadWeights(const std::string& folder, ModelFacts* facts) {
  const auto map = weights::TensorMap::Open(folder);
  if (!map.ok()) return;
  for (const std::string& name : (*map)->names()) {
    const weights::TensorView& tensor = *(*map)->Find(name);
    const auto size = static_cast<int64_t>(weights::ElementSize(tensor.dtype));
    const auto bytes = static_cast<int64_t>(tensor.data.size());
    DTypeShare& share = facts->dtypes[std::string(weights::DTypeName(tensor.dtype))];
    ++share.tensors;
    share.bytes += bytes;
    if (!IsWeight(tensor.dtype)) continue;
    share.parameters += bytes / size;
    facts->parameters += bytes / size;
  }
}

void ReadTokenizer(const ModelFiles& files, ModelFacts* facts) {
  const Json json = files.Read("tokenizer.json");
  if (!json.is_object()) return;
  facts->tokenizer = StringAt(At(json, "model"), "type");
  if (facts->tokenizer.empty()) facts->tokenizer = "of no type";
  const auto tokenizer = tokenizer::Tokenizer::Load(files.PathOf("tokenizer.json"));
  if (tokenizer.ok()) {
    absl::StrAppend(&facts->tokenizer, ", ", (*tokenizer)->vocabulary_size(), " ids");
  }
}

// The section of preprocessing that models/bundle reads.
Json PreprocessorSection(const ModelFiles& files) {
  const Json nested = At(files.Read("processor_config.json"), "image_processor");
  return nested.is_null() ? files.Read("preprocessor_config.json") : nested;
}

void ReadPreprocessor(const ModelFiles& files, ModelFacts* facts) {
  const Json json = PreprocessorSection(files);
  if (!json.is_object()) return;
  for (const char* key : {"feature_extractor_type", "image_processor_type"}) {
    if (!StringAt(json, key).empty()) facts->preprocessor = StringAt(json, key);
  }
  if (facts->preprocessor.empty()) facts->preprocessor = "of no type";
  const settings::Collector warnings_dropped;
  const auto config = media::ReadPreprocessorConfig("preprocessor_config.json", json.dump());
  if (config.ok()) {
    absl::StrAppend(&facts->preprocessor, ", ", config->width, " x ", config->height, " pixels");
  }
}

ModelFacts FactsOf(const std::string& folder) {
  ModelFacts facts{.folder = folder};
  const ModelFiles files(folder);
  const ModelFiles encoder(files.EncoderFolder());
  const Family* const family =
      ReadFamily(encoder.Read("config.json"), files.Has("modules.json"), &facts);
  if (family != nullptr) {
    facts.kind = models::catalog::KindOf(*family);
    facts.services = {"terminus-router"};
    for (const std::string& service : models::catalog::ServicesOf(*family)) {
      facts.services.push_back("terminus-" + service);
    }
  }
  ReadWeights(encoder.folder(), &facts);
  ReadTokenizer(encoder, &facts);
  ReadPreprocessor(files, &facts);
  return facts;
}

// Folders that a bundle.yaml names, each once, with the service of a video section beside it.
std::vector<ModelFacts> FactsOfBundle(const std::string& folder) {
  std::vector<ModelFacts> models;
  const auto text = base::ReadFile(folder + "/bundle.yaml", kMaxConfigBytes);
  if (!text.ok()) return models;
  try {
    const YAML::Node root = YAML::Load(*text);
    for (const auto& [section, key] : {std::pair("text", "path"), std::pair("vision", "path"),
                                       std::pair("video", "tower"), std::pair("decoder", "path")}) {
      if (!root.IsMap() || !root[section] || !root[section][key]) continue;
      const std::string model = absl::StrCat(folder, "/", root[section][key].as<std::string>());
      const auto known = std::find_if(models.begin(), models.end(), [&](const ModelFacts& facts) {
        return facts.folder == model;
      });
      ModelFacts& facts = known == models.end() ? models.emplace_back(FactsOf(model)) : *known;
      if (section == std::string("video")) facts.services.push_back("terminus-video");
    }
  } catch (const YAML::Exception&) {
    // The manifest's reader says what is wrong with it.
  }
  return models;
}

}  // namespace

std::vector<ModelFacts> ReadFacts(const std::string& folder) {
  if (!fs::is_directory(folder)) return {};
  if (fs::exists(folder + "/bundle.yaml")) return FactsOfBundle(folder);
  return {FactsOf(folder)};
}

}  // namespace terminus::tools::verify
