#include "models/parallel/decoder_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "models/decoder/kv_view.h"

namespace terminus::models::parallel {
namespace {

constexpr int kMaxRows = 4096;
constexpr int kMaxSlots = 1024;
constexpr int kMaxDevices = 4096;
// Steps of a slot that are simulated before any are counted, and steps of all that are counted.
constexpr int kWarmUpRounds = 20;
constexpr int kSteps = 4000;
constexpr int kMinRounds = 100;

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
  TERMINUS_RETURN_IF_ERROR(CheckRange("sequences", options.sequences, 0, kMaxRows * kMaxSlots));
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
Mix MixOf(const DecoderPlanOptions& options, int rows) {
  if (options.output_tokens == 0) {
    return {.rows = rows, .context = options.context};
  }
  return {.rows = rows,
          .context = options.prompt_tokens + options.output_tokens,
          .prompt_tokens = static_cast<double>(options.prompt_tokens) / options.output_tokens};
}

// A slot more than stages covers sampling, whatever the stages cost. A single stage has no other to
// wait for: two micro-batches would only read its weights twice.
int DefaultSlots(const Grid& grid) { return grid.pipeline == 1 ? 1 : grid.pipeline + 1; }

PipelineResult Simulate(const CostModel& costs, const DecoderPlan& plan,
                        const DecoderPlanOptions& options, int slots) {
  const StepOverheads& overheads = options.overheads;
  Pipeline pipeline{.stages = {},
                    .hidden_bytes = [&](const Work& work) { return costs.HiddenBytes(work); },
                    .link_latency_s = overheads.link_latency_s,
                    .link_bytes_per_s = overheads.link_bytes_per_s,
                    .sampling_s = overheads.sampling_s,
                    // A single stage samples where it needs the tokens.
                    .return_latency_s = plan.grid.pipeline == 1 ? 0 : overheads.return_latency_s,
                    .host_s = overheads.host_s,
                    .slots = slots};
  for (const decoder::LayerRange& range : plan.split) {
    pipeline.stages.emplace_back(
        [&costs, range](const Work& work) { return costs.Stage(range, work); });
  }
  const WorkSource source = options.output_tokens == 0
                                ? SteadyWork(WorkOf(MixOf(options, plan.rows)))
                                : RandomSequences({.rows = plan.rows,
                                                   .prompt_tokens = options.prompt_tokens,
                                                   .output_tokens = options.output_tokens,
                                                   .prompt_budget = options.prompt_budget,
                                                   .seed = options.seed},
                                                  slots);
  // Whole rounds, so that the numbers of steady work are exact.
  const int rounds = std::max(kMinRounds, kSteps / slots);
  return SimulatePipeline(
      pipeline, {.warm_up_steps = kWarmUpRounds * slots, .steps = rounds * slots}, source);
}

absl::StatusOr<DecoderPlan> PlanSlots(const decoder::LlamaConfig& config,
                                      const DecoderPlanOptions& options) {
  const Grid& grid = options.grid;
  const int slots = options.slots > 0 ? options.slots : DefaultSlots(grid);
  const int rows = options.sequences > 0 ? (options.sequences + slots - 1) / slots : options.rows;
  TERMINUS_RETURN_IF_ERROR(CheckRange("rows of a micro-batch", rows, 1, kMaxRows));
  const CostModel costs(config, grid.tensor, options.rates);
  const Mix mix = MixOf(options, rows);
  const Work work = WorkOf(mix);
  DecoderPlan plan{
      .grid = grid, .device = options.device, .rows = rows, .context = mix.context, .slots = slots};
  if (options.split.empty()) {
    plan.split = SplitLayers(costs, grid.pipeline, work);
  } else {
    TERMINUS_ASSIGN_OR_RETURN(plan.split, ParseSplit(options.split, grid.pipeline, config.layers));
  }
  plan.stage_seconds = StageCosts(costs, plan.split, work);
  plan.busy_ceiling = BusyCeiling(plan.stage_seconds);
  // A step is as large as an engine makes room for by default, or larger where the rows are more.
  decoder::LmOptions sizes = decoder::ResolveSizes({}, /*gpu=*/true);
  sizes.max_sequences = std::max(sizes.max_sequences, rows);
  plan.memory =
      PlanMemory(config, grid, plan.split, options.device, sizes, options.rates.element_bytes);
  plan.kv_blocks = std::max<int64_t>(0, KvBlocks(plan.memory));
  plan.sequences_that_fit =
      plan.kv_blocks / ((mix.context + decoder::kKvBlockTokens - 1) / decoder::kKvBlockTokens);
  plan.pipelined = Simulate(costs, plan, options, slots);
  plan.lock_step = Simulate(costs, plan, options, 1);
  return plan;
}

}  // namespace

absl::StatusOr<DecoderPlan> PlanDecoder(const decoder::LlamaConfig& config,
                                        const DecoderPlanOptions& options) {
  TERMINUS_RETURN_IF_ERROR(CheckOptions(config, options));
  TERMINUS_ASSIGN_OR_RETURN(DecoderPlan plan, PlanSlots(config, options));
  if (options.slots == 0 && options.sequences > 0 && options.grid.pipeline > 1) {
    // Fewer micro-batches have more rows each, for which weights are read once.
    DecoderPlanOptions fewer = options;
    fewer.slots = options.grid.pipeline;
    TERMINUS_ASSIGN_OR_RETURN(DecoderPlan other, PlanSlots(config, fewer));
    if (other.pipelined.tokens_per_s > plan.pipelined.tokens_per_s) {
      return other;
    }
  }
  return plan;
}

absl::StatusOr<std::vector<DecoderPlan>> CompareGrids(const decoder::LlamaConfig& config,
                                                      const DecoderPlanOptions& options,
                                                      int devices) {
  TERMINUS_RETURN_IF_ERROR(CheckRange("devices", devices, 1, kMaxDevices));
  std::vector<DecoderPlan> plans;
  for (int tensor = 1; tensor <= devices; ++tensor) {
    DecoderPlanOptions each = options;
    each.grid = {.pipeline = devices / tensor, .tensor = tensor};
    if (devices % tensor == 0 && CheckGrid(config, each.grid).ok()) {
      TERMINUS_ASSIGN_OR_RETURN(DecoderPlan plan, PlanDecoder(config, each));
      plans.push_back(std::move(plan));
    }
  }
  if (plans.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no grid of ", devices, " devices: tensor ranks must divide the ",
                     config.heads, " query heads, and stages are at most ", config.layers));
  }
  return plans;
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
