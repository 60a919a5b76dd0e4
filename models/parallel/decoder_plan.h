#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/decoder/llama_config.h"
#include "models/parallel/cost_model.h"
#include "models/parallel/grid.h"
#include "models/parallel/pipeline_simulator.h"
#include "models/parallel/rank_memory.h"
#include "models/parallel/stage_split.h"

namespace terminus::models::parallel {

// Time and link rates of a step outside its stages. The defaults are assumptions, not measured.
struct StepOverheads {
  // From stage to stage; NVLink, one way.
  double link_latency_s = 1e-5;
  double link_bytes_per_s = 4.5e11;
  double sampling_s = 1e-4;
  double return_latency_s = 5e-5;
  double host_s = 2e-4;
};

struct DecoderPlanOptions {
  Grid grid;
  // Layers of each stage, such as "17/15". Empty: by cost.
  std::string split;
  DeviceSize device;
  // Sequences of a micro-batch, and the tokens that each of them sees.
  int rows = 32;
  int context = 512;
  // Above 0: sequences in flight, which are divided over the micro-batches instead of `rows`.
  int sequences = 0;
  // Above 0: sequences begin with a prompt and end, as SequenceLoad says; `context` is then theirs.
  int output_tokens = 0;
  int prompt_tokens = 0;
  int prompt_budget = 8192;
  uint64_t seed = 1;
  // Micro-batches in flight. 0: one on a single stage, else one more than there are stages; where
  // `sequences` is given, as many as there are stages if that gives more tokens.
  int slots = 0;
  Rates rates;
  StepOverheads overheads;
};

struct DecoderPlan {
  Grid grid;
  DeviceSize device;
  Split split;
  // Seconds of each stage for the mean micro-batch, and the share of its time for which a stage can
  // be busy at most, in the mean.
  std::vector<double> stage_seconds;
  double busy_ceiling = 0;
  // One for each stage.
  std::vector<RankMemory> memory;
  int64_t kv_blocks = 0;
  // Sequences of `context` tokens that the KV blocks hold.
  int64_t sequences_that_fit = 0;
  int rows = 0;
  int context = 0;
  int slots = 0;
  PipelineResult pipelined;
  // With one micro-batch in flight.
  PipelineResult lock_step;
};

// A plan for a model of this shape. A model that does not fit has one too: see CheckRoom.
// INVALID_ARGUMENT says which option is wrong.
absl::StatusOr<DecoderPlan> PlanDecoder(const decoder::LlamaConfig& config,
                                        const DecoderPlanOptions& options);

// A plan for each grid of so many devices that can hold the model, fewest tensor ranks first.
// INVALID_ARGUMENT where there is none, or as PlanDecoder. The grid of `options` is not used.
absl::StatusOr<std::vector<DecoderPlan>> CompareGrids(const decoder::LlamaConfig& config,
                                                      const DecoderPlanOptions& options,
                                                      int devices);

// FAILED_PRECONDITION, reason MODEL_TOO_LARGE, with the numbers of the fullest rank where not even
// a KV block fits beside its weights.
absl::Status CheckRoom(const DecoderPlan& plan);

}  // namespace terminus::models::parallel
