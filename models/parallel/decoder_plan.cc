#include "models/parallel/decoder_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "models/decoder/kv_view.h"

namespace terminus::models::parallel {
namespace {

constexpr int kMaxRows = 4096;
constexpr int kMaxSlots = 1024;

double GiB(int64_t bytes) { return static_cast<double>(bytes) / (int64_t{1} << 30); }

absl::Status CheckRange(absl::string_view what, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": ", value, ", expected ", min, " to ", max));
}

absl::Status CheckOptions(const decoder::LlamaConfig& config, const DecoderPlanOptions& options) {
  TERMINUS_RETURN_IF_ERROR(CheckGrid(config, options.grid));
  const int positions = config.max_positions;
  TERMINUS_RETURN_IF_ERROR(CheckRange("rows", options.rows, 1, kMaxRows));
  TERMINUS_RETURN_IF_ERROR(CheckRange("context", options.context, 1, positions));
  TERMINUS_RETURN_IF_ERROR(CheckRange("output tokens", options.output_tokens, 0, positions));
  TERMINUS_RETURN_IF_ERROR(
      CheckRange("prompt tokens", options.prompt_tokens, 0, positions - options.output_tokens));
  TERMINUS_RETURN_IF_ERROR(CheckRange("prompt budget", options.prompt_budget, 1, positions));
  TERMINUS_RETURN_IF_ERROR(CheckRange("slots", options.slots, 0, kMaxSlots));
  if (options.prompt_tokens > 0 && options.output_tokens == 0) {
    return absl::InvalidArgumentError(
        "prompt tokens without output tokens: say how long the answers are");
  }
  return absl::OkStatus();
}

// The work of a mean micro-batch.
Mix MixOf(const DecoderPlanOptions& options) {
  if (options.output_tokens == 0) {
    return {.rows = options.rows, .context = options.context};
  }
  return {.rows = options.rows,
          .context = options.prompt_tokens + options.output_tokens,
          .prompt_tokens = static_cast<double>(options.prompt_tokens) / options.output_tokens};
}

PipelineResult Simulate(const CostModel& costs, const Split& split,
                        const DecoderPlanOptions& options, int slots) {
  const StepOverheads& overheads = options.overheads;
  Pipeline pipeline{.stages = {},
                    .hidden_bytes = [&](const Work& work) { return costs.HiddenBytes(work); },
                    .link_latency_s = overheads.link_latency_s,
                    .link_bytes_per_s = options.rates.link_bytes_per_s,
                    .sampling_s = overheads.sampling_s,
                    .return_latency_s = overheads.return_latency_s,
                    .host_s = overheads.host_s,
                    .slots = slots};
  for (const decoder::LayerRange& range : split) {
    pipeline.stages.emplace_back(
        [&costs, range](const Work& work) { return costs.Stage(range, work); });
  }
  const WorkSource source = options.output_tokens == 0
                                ? SteadyWork(WorkOf(MixOf(options)))
                                : RandomSequences({.rows = options.rows,
                                                   .prompt_tokens = options.prompt_tokens,
                                                   .output_tokens = options.output_tokens,
                                                   .prompt_budget = options.prompt_budget,
                                                   .seed = options.seed},
                                                  slots);
  return SimulatePipeline(pipeline, options.run, source);
}

}  // namespace

absl::StatusOr<DecoderPlan> PlanDecoder(const decoder::LlamaConfig& config,
                                        const DecoderPlanOptions& options) {
  TERMINUS_RETURN_IF_ERROR(CheckOptions(config, options));
  const Grid& grid = options.grid;
  const CostModel costs(config, grid.tensor, options.rates);
  const Mix mix = MixOf(options);
  const Work work = WorkOf(mix);
  DecoderPlan plan{.grid = grid,
                   .device = options.device,
                   .rows = options.rows,
                   .context = mix.context,
                   .slots = options.slots > 0 ? options.slots : grid.pipeline + 1};
  if (options.split.empty()) {
    plan.split = SplitLayers(costs, grid.pipeline, work);
  } else {
    TERMINUS_ASSIGN_OR_RETURN(plan.split, ParseSplit(options.split, grid.pipeline, config.layers));
  }
  plan.stage_seconds = StageCosts(costs, plan.split, work);
  plan.busy_ceiling = BusyCeiling(plan.stage_seconds);
  plan.memory = PlanMemory(config, grid, plan.split, options.device,
                           {.max_sequences = options.rows > 512 ? options.rows : 0},
                           options.rates.element_bytes);
  plan.kv_blocks = std::max<int64_t>(0, KvBlocks(plan.memory));
  plan.sequences_that_fit =
      plan.kv_blocks / ((mix.context + decoder::kKvBlockTokens - 1) / decoder::kKvBlockTokens);
  plan.pipelined = Simulate(costs, plan.split, options, plan.slots);
  plan.lock_step = Simulate(costs, plan.split, options, 1);
  return plan;
}

absl::Status CheckRoom(const DecoderPlan& plan) {
  const auto fullest = std::min_element(
      plan.memory.begin(), plan.memory.end(),
      [](const RankMemory& a, const RankMemory& b) { return a.kv_blocks < b.kv_blocks; });
  if (fullest->kv_blocks > 0) {
    return absl::OkStatus();
  }
  return base::MakeError(
      absl::StatusCode::kFailedPrecondition, base::kReasonModelTooLarge,
      absl::StrFormat(
          "stage %d needs %.1f GiB of each device before keys and values (weights %.1f, "
          "workspace %.1f, graphs %.1f), and may take %.1f GiB (%g of %.1f GiB): use "
          "more stages, more tensor ranks or larger devices",
          fullest->stage, GiB(fullest->need.sum()), GiB(fullest->need.weights),
          GiB(fullest->need.workspace), GiB(fullest->need.graphs),
          plan.device.share * GiB(plan.device.bytes), plan.device.share, GiB(plan.device.bytes)));
}

}  // namespace terminus::models::parallel
