#include "tools/cli/model_facts.h"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/media/preprocessor_config.h"
#include "common/tokenizer/tokenizer.h"
#include "common/weights/tensor_map.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using models::catalog::Family;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr size_t kMaxTokenizerBytes = 64 << 20;

const char* const kSizes[] = {
    "hidden_size",     "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim",        "intermediate_size", "vocab_size",          "max_position_embeddings",
    "type_vocab_size", "image_size",        "patch_size",          "projection_dim",
    "num_features",    "num_classes"};

std::string KnownFamilies() {
  std::vector<std::string> names;
  for (const Family& family : models::catalog::Families()) {
    names.push_back(absl::StrCat(family.timm ? "architecture " : "model_type ", family.type));
  }
  return absl::StrJoin(names, ", ");
}

absl::StatusOr<Json> ReadJson(const std::string& path, size_t max_bytes = kMaxConfigBytes) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, max_bytes));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": no JSON object"));
  return json;
}

std::string StringAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

// The encoder inside a sentence-transformers folder: the path of its first module.
std::string EncoderFolder(const std::string& folder) {
  const auto text = base::ReadFile(folder + "/modules.json", kMaxConfigBytes);
  if (!text.ok()) return folder;
  const Json modules = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!modules.is_array() || modules.empty() || !modules[0].is_object()) return folder;
  const std::string path = StringAt(modules[0], "path");
  return path.empty() ? folder : absl::StrCat(folder, "/", path);
}

void Note(const absl::Status& status, ModelFacts* facts) {
  if (!status.ok()) facts->unsupported.push_back(std::string(status.message()));
}

void AddSizes(const Json& config, const std::string& prefix, ModelFacts* facts) {
  if (!config.is_object()) return;
  for (const char* key : kSizes) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_primitive() && !found->is_null()) {
      facts->sizes.emplace_back(prefix + key, found->dump());
    }
  }
}

const Family* ReadFamily(const std::string& folder, bool has_modules, ModelFacts* facts) {
  const auto config = ReadJson(folder + "/config.json");
  if (!config.ok()) {
    Note(config.status(), facts);
    return nullptr;
  }
  AddSizes(*config, "", facts);
  for (const char* tower : {"text_config", "vision_config"}) {
    if (const auto section = config->find(tower); section != config->end()) {
      AddSizes(*section, absl::StrCat(tower, "."), facts);
    }
  }
  // A timm file has an architecture; it may name a model_type too.
  const char* const key = config->contains("architecture") ? "architecture" : "model_type";
  facts->family = StringAt(*config, key);
  if (const auto family = models::catalog::FindFamily(*config, has_modules); family.ok()) {
    return *family;
  }
  facts->unsupported.push_back(absl::StrCat(folder, "/config.json: ", key, " \"", facts->family,
                                            "\" is not served; served are ", KnownFamilies()));
  return nullptr;
}

// Whole numbers of these widths are positions and counters, not weights.
bool IsWeight(weights::DType dtype) {
  using weights::DType;
  return dtype != DType::kBool && dtype != DType::kInt32 && dtype != DType::kUInt32 &&
         dtype != DType::kInt64 && dtype != DType::kUInt64;
}

void ReadWeights(const std::string& folder, ModelFacts* facts) {
  const auto map = weights::TensorMap::Open(folder);
  if (!map.ok()) {
    Note(map.status(), facts);
    return;
  }
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

void ReadTokenizer(const std::string& folder, const Family* family, ModelFacts* facts) {
  const std::string path = folder + "/tokenizer.json";
  if (!fs::exists(path)) {
    if (family != nullptr && (family->text || family->generate)) {
      facts->unsupported.push_back(absl::StrCat(path, ": missing"));
    }
    return;
  }
  const auto json = ReadJson(path, kMaxTokenizerBytes);
  if (!json.ok()) {
    Note(json.status(), facts);
    return;
  }
  const auto model = json->find("model");
  facts->tokenizer = model != json->end() && model->is_object() ? StringAt(*model, "type") : "";
  if (facts->tokenizer.empty()) facts->tokenizer = "of no type";
  const auto tokenizer = tokenizer::Tokenizer::Load(path);
  Note(tokenizer.status(), facts);
  if (tokenizer.ok()) {
    absl::StrAppend(&facts->tokenizer, ", ", (*tokenizer)->vocabulary_size(), " ids");
  }
}

// The section of preprocessing that models/bundle reads, and where it stands.
absl::StatusOr<Json> PreprocessorSection(const std::string& folder, std::string* path) {
  *path = folder + "/processor_config.json";
  if (fs::exists(*path)) {
    TERMINUS_ASSIGN_OR_RETURN(const Json json, ReadJson(*path));
    if (json.contains("image_processor")) return json["image_processor"];
  }
  *path = folder + "/preprocessor_config.json";
  return ReadJson(*path);
}

void ReadPreprocessor(const std::string& folder, const Family* family, ModelFacts* facts) {
  std::string path;
  const auto json = PreprocessorSection(folder, &path);
  if (!json.ok()) {
    const bool needed = family != nullptr && family->image;
    if (needed || !absl::IsNotFound(json.status())) Note(json.status(), facts);
    return;
  }
  for (const char* key : {"feature_extractor_type", "image_processor_type"}) {
    if (!StringAt(*json, key).empty()) facts->preprocessor = StringAt(*json, key);
  }
  if (facts->preprocessor.empty()) facts->preprocessor = "of no type";
  const auto config = media::ReadPreprocessorConfig(json->dump());
  if (config.ok()) {
    absl::StrAppend(&facts->preprocessor, ", ", config->width, " x ", config->height, " pixels");
  } else {
    facts->unsupported.push_back(absl::StrCat(path, ": ", config.status().message()));
  }
}

ModelFacts InspectModel(const std::string& folder) {
  ModelFacts facts{.folder = folder};
  const std::string encoder = EncoderFolder(folder);
  const Family* const family = ReadFamily(encoder, fs::exists(folder + "/modules.json"), &facts);
  if (family != nullptr) {
    facts.kind = models::catalog::KindOf(*family);
    facts.services = {"terminus-router"};
    for (const std::string& service : ServicesOf(*family)) {
      facts.services.push_back("terminus-" + service);
    }
  }
  ReadWeights(encoder, &facts);
  ReadTokenizer(encoder, family, &facts);
  ReadPreprocessor(folder, family, &facts);
  return facts;
}

// Folders that a bundle.yaml names, each once, with the service of a video section beside it.
absl::StatusOr<std::vector<ModelFacts>> InspectBundle(const std::string& folder) {
  const std::string path = folder + "/bundle.yaml";
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxConfigBytes));
  std::vector<ModelFacts> models;
  try {
    const YAML::Node root = YAML::Load(text);
    for (const auto& [section, key] : {std::pair("text", "path"), std::pair("vision", "path"),
                                       std::pair("video", "tower"), std::pair("decoder", "path")}) {
      if (!root.IsMap() || !root[section]) continue;
      const std::string model = absl::StrCat(folder, "/", root[section][key].as<std::string>());
      ModelFacts* facts = nullptr;
      for (ModelFacts& known : models) {
        if (known.folder == model) facts = &known;
      }
      if (facts == nullptr) facts = &models.emplace_back(InspectModel(model));
      if (section == std::string("video")) facts->services.push_back("terminus-video");
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  if (models.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": names no model; expected text, vision, video or decoder"));
  }
  return models;
}

std::string Mebibytes(int64_t bytes) {
  return absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

std::vector<std::string> ServicesOf(const Family& family) {
  std::vector<std::string> services;
  if (family.text) services.push_back("text");
  if (family.image) services.push_back("vision");
  if (family.generate || (family.text && family.image)) services.push_back("decoder");
  return services;
}

absl::StatusOr<std::vector<ModelFacts>> InspectFolder(const std::string& folder) {
  if (!fs::is_directory(folder)) {
    return absl::NotFoundError(absl::StrCat(folder, ": no such folder"));
  }
  if (fs::exists(folder + "/bundle.yaml")) return InspectBundle(folder);
  return std::vector<ModelFacts>{InspectModel(folder)};
}

std::string FormatFacts(const std::vector<ModelFacts>& models) {
  std::string text;
  for (const ModelFacts& model : models) {
    std::vector<std::vector<std::string>> rows;
    const auto add = [&rows](const std::string& name, const std::string& value) {
      if (!value.empty()) rows.push_back({absl::StrCat("  ", name), value});
    };
    add("family", model.family);
    add("kind", model.kind);
    add("services", absl::StrJoin(model.services, ", "));
    for (const auto& [name, value] : model.sizes) add(name, value);
    add("parameters", absl::StrCat(model.parameters));
    for (const auto& [dtype, share] : model.dtypes) {
      add("stored " + dtype, absl::StrCat(share.parameters, " in ", share.tensors, " tensors, ",
                                          Mebibytes(share.bytes)));
    }
    add("memory as float32", Mebibytes(model.parameters * 4));
    add("memory as bfloat16", Mebibytes(model.parameters * 2));
    add("memory as int8", Mebibytes(model.parameters));
    add("tokenizer", model.tokenizer);
    add("preprocessor", model.preprocessor);
    for (const std::string& reason : model.unsupported) add("unsupported", reason);
    absl::StrAppend(&text, model.folder, "\n", FormatTable(rows));
  }
  return text;
}

std::string FactsJson(const std::vector<ModelFacts>& models) {
  Json out = Json::array();
  for (const ModelFacts& model : models) {
    Json sizes = Json::object();
    for (const auto& [name, value] : model.sizes) sizes[name] = Json::parse(value);
    Json stored = Json::object();
    for (const auto& [dtype, share] : model.dtypes) {
      stored[dtype] = {
          {"tensors", share.tensors}, {"parameters", share.parameters}, {"bytes", share.bytes}};
    }
    out.push_back({{"folder", model.folder},
                   {"family", model.family},
                   {"kind", model.kind},
                   {"services", model.services},
                   {"sizes", std::move(sizes)},
                   {"parameters", model.parameters},
                   {"stored", std::move(stored)},
                   {"memory_bytes",
                    {{"float32", model.parameters * 4},
                     {"bfloat16", model.parameters * 2},
                     {"int8", model.parameters}}},
                   {"tokenizer", model.tokenizer},
                   {"preprocessor", model.preprocessor},
                   {"unsupported", model.unsupported}});
  }
  return Json{{"models", std::move(out)}}.dump(-1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace terminus::tools::cli
