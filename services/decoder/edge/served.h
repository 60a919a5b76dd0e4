#pragma once

#include <memory>
#include <string>

#include "services/decoder/edge/text_codec.h"
#include "services/decoder/pipeline/engine.h"
#include "services/decoder/sampling/sampler.h"

namespace terminus::services::decoder::edge {

// A language model in service.
struct ServedModel {
  std::unique_ptr<const TextCodec> codec;
  // For what a request leaves unset.
  sampling::Parameters defaults;
  std::unique_ptr<pipeline::Engine> engine;
};

// What a replica serves.
struct ServedBundle {
  std::string name;
  std::string space_id;
  int dimension = 0;
  double logit_scale = 1;
  // "cpu" or "cuda:0".
  std::string device;
  // Null: the bundle has none, and only Score and Recognize are answered.
  std::unique_ptr<ServedModel> model;
};

}  // namespace terminus::services::decoder::edge
