#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "models/parallel/cost_model.h"
#include "models/parallel/work_source.h"

// Simulates a pipeline of stages in virtual time: no clock is read, and the same input gives the
// same numbers.
namespace terminus::models::parallel {

// A pipeline that decodes micro-batches. Each slot holds the sequences of one micro-batch: once
// their tokens are back, the next step of these sequences may start. A step goes through the stages
// and the links between them, then its tokens are sampled and sent back to the first stage. Stages,
// links, the sampler and the front serve one micro-batch at a time, in order of arrival.
struct Pipeline {
  // Seconds of a micro-batch on each stage.
  std::vector<std::function<double(const Work&)>> stages;
  // Bytes that a stage sends to the next; null: none.
  std::function<double(const Work&)> hidden_bytes;
  double link_latency_s = 0;
  double link_bytes_per_s = std::numeric_limits<double>::infinity();
  // Sampling one micro-batch. It runs beside the next micro-batch on the last stage.
  double sampling_s = 0;
  // From the sampler to the first stage.
  double return_latency_s = 0;
  // The front plans one step.
  double host_s = 0;
  // The front plans a step as soon as the one before has started, and not only when its tokens are
  // back: the first stage takes them from the device.
  bool plan_ahead = true;
  // Micro-batches in flight. 0: one more than there are stages. 1: lock-step.
  int slots = 0;

  int SlotCount() const { return slots > 0 ? slots : static_cast<int>(stages.size()) + 1; }
};

struct PipelineRun {
  // Steps whose tokens came back before anything is counted, then those that are counted.
  int warm_up_steps = 200;
  int steps = 2000;
};

struct PipelineResult {
  // The share of the time for which each stage computes, and the front plans.
  std::vector<double> stage_busy;
  double front_busy = 0;
  // 1 - the mean of `stage_busy`.
  double bubble = 0;
  double steps_per_s = 0;
  // Tokens that sequences got.
  double tokens_per_s = 0;
  double prompt_tokens_per_s = 0;
  // Between two tokens of a sequence: mean over steps.
  double step_latency_s = 0;
};

// Requires: at least one stage; no time is below 0; a step takes some time on some stage.
PipelineResult SimulatePipeline(const Pipeline& pipeline, const PipelineRun& run,
                                const WorkSource& source);

}  // namespace terminus::models::parallel
