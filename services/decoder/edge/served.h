#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/grammar/compiler.h"
#include "models/decoder/generation_settings.h"
#include "services/decoder/edge/text_codec.h"
#include "services/decoder/pipeline/engine.h"

namespace terminus::services::decoder::edge {

// A language model in service.
struct ServedModel {
  std::unique_ptr<const TextCodec> codec;
  // The folder's settings, for the fields that a request leaves unset.
  models::decoder::GenerationSettings settings;
  // The model gives ids below it.
  int vocab_size = 0;
  // "float32" or "bfloat16".
  std::string dtype;
  // Compiles the output formats of requests; or why the model's answers cannot have any.
  absl::StatusOr<std::unique_ptr<grammar::Compiler>> grammars =
      absl::FailedPreconditionError("the model was loaded without output formats");
  std::unique_ptr<pipeline::Engine> engine;
};

// A bundle in service.
struct ServedBundle {
  std::string name;
  std::string space_id;
  int dimension = 0;
  double logit_scale = 1;
  // "cpu" or "cuda:0".
  std::string device;
  // Null: the bundle has no language model, and only Score and Recognize are answered.
  std::unique_ptr<ServedModel> model;
};

}  // namespace terminus::services::decoder::edge
