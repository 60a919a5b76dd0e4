#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The model families that can be served, and how a folder tells which it is of. No torch, and no
// weights: for whoever wants to know before anything is loaded. What a family's config may say, and
// how a model is built of it, is known to models/text, models/vision and models/decoder.
namespace terminus::models::catalog {

struct Family {
  // config.json's "model_type"; of timm, the beginning of "architecture" behind an optional "tf_".
  absl::string_view type;
  bool timm = false;
  // What can be done with it.
  bool text = false;   // Texts to vectors.
  bool image = false;  // Images to vectors; with `text`, of the same space.
  bool generate = false;
  // Whether it is a text encoder only as part of a sentence-transformers folder, whose modules.json
  // says how to pool.
  bool needs_modules = false;
  // For people: what is special about its folder or its variants; may be empty.
  absl::string_view note;
};

absl::Span<const Family> Families();

// "text encoder", "image encoder", "language model", or several joined by "and".
std::string KindOf(const Family& family);

// The services that have work for a family, besides the router. Where texts and images share a
// space, the decoder service scores one against the other.
std::vector<std::string> ServicesOf(const Family& family);

// The family of a model whose config.json is `config`; `has_modules` says whether it is part of a
// sentence-transformers folder, whose models encode texts. INVALID_ARGUMENT names the type that is
// none of them, without a list of those that are.
absl::StatusOr<const Family*> FindFamily(const nlohmann::json& config, bool has_modules);

// All that can be served, over several lines, for whoever came with something else.
std::string WhatCanBeServed();

}  // namespace terminus::models::catalog
