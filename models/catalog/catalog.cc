#include "models/catalog/catalog.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace terminus::models::catalog {
namespace {

constexpr Family kFamilies[] = {
    {.type = "bert",
     .text = true,
     .note = "of sentence-transformers, modules.json with Transformer, Pooling (mean, CLS or last "
             "token), Dense, Normalize"},
    {.type = "clip", .text = true, .image = true, .note = "CLIPModel"},
    {.type = "clip_text_model", .text = true, .note = "CLIPTextModelWithProjection"},
    {.type = "clip_vision_model", .image = true, .note = "CLIPVisionModelWithProjection"},
    {.type = "dinov2", .image = true, .note = "Dinov2Model, with or without a head"},
    {.type = "efficientnet_lite",
     .timm = true,
     .image = true,
     .note = "timm's [tf_]efficientnet_lite0 to [tf_]efficientnet_lite4"},
    {.type = "llama", .generate = true},
    {.type = "mistral", .generate = true},
    {.type = "qwen2", .generate = true},
    {.type = "qwen3", .text = true, .needs_modules = true, .note = "Qwen3-Embedding"},
    {.type = "qwen3", .generate = true},
    {.type = "resnet", .image = true, .note = "ResNetModel or ResNetForImageClassification"},
    {.type = "siglip",
     .text = true,
     .image = true,
     .note = "SiglipModel, with tokenizer_config.json; SigLIP 2 of a fixed resolution is one, its "
             "NaFlex variant is not"},
    {.type = "siglip_text_model",
     .text = true,
     .note = "SiglipTextModel, with tokenizer_config.json"},
    {.type = "siglip_vision_model", .image = true, .note = "SiglipVisionModel"},
    {.type = "smollm3", .generate = true},
    {.type = "vit", .image = true, .note = "ViTModel, with or without a head"},
};

std::string StringAt(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : "";
}

const char* FilesOf(const Family& family) {
  if (family.text && family.image) {
    return "model.safetensors, tokenizer.json, preprocessor_config.json";
  }
  return family.image ? "model.safetensors, preprocessor_config.json"
                      : "model.safetensors, tokenizer.json";
}

}  // namespace

absl::Span<const Family> Families() { return kFamilies; }

std::string KindOf(const Family& family) {
  std::vector<std::string> does;
  if (family.text) does.push_back("text encoder");
  if (family.image) does.push_back("image encoder");
  if (family.generate) does.push_back("language model");
  return absl::StrJoin(does, " and ");
}

std::vector<std::string> ServicesOf(const Family& family) {
  std::vector<std::string> services;
  if (family.text) services.push_back("text");
  if (family.image) services.push_back("vision");
  if (family.generate || (family.text && family.image)) services.push_back("decoder");
  return services;
}

absl::StatusOr<const Family*> FindFamily(const nlohmann::json& config, bool has_modules) {
  const bool timm = config.is_object() && config.contains("architecture");
  const char* key = timm ? "architecture" : "model_type";
  const std::string type = config.is_object() ? StringAt(config, key) : "";
  const absl::string_view name = timm ? absl::StripPrefix(type, "tf_") : absl::string_view(type);
  for (const Family& family : Families()) {
    const bool same = timm ? absl::StartsWith(name, family.type) : name == family.type;
    // A type may stand in the list twice: as a part of sentence-transformers, and by itself.
    if (same && timm == family.timm && (has_modules ? family.text : !family.needs_modules)) {
      return &family;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      key, ": \"", type, "\"", has_modules ? " with a modules.json" : "", ", not supported"));
}

std::string WhatCanBeServed() {
  std::string all =
      "What can be served:\n"
      "  a bundle: bundle.yaml, format 1\n"
      "  a folder of Hugging Face's kind, by its config.json:";
  for (const Family& family : Families()) {
    absl::StrAppend(&all, "\n    ", family.timm ? "architecture" : "model_type", " \"", family.type,
                    "\": ", KindOf(family), "; ", FilesOf(family),
                    family.needs_modules ? ", modules.json" : "", family.note.empty() ? "" : "; ",
                    family.note);
  }
  return all;
}

}  // namespace terminus::models::catalog
