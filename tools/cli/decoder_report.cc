#include "tools/cli/decoder_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

using models::parallel::DecoderPlan;
using models::parallel::PipelineResult;
using models::parallel::RankMemory;

constexpr char kPredictions[] = "Times are predictions of a simulator, not measurements.\n";

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

std::string GiB(int64_t bytes) {
  return absl::StrFormat("%.1f", static_cast<double>(bytes) / (int64_t{1} << 30));
}

// As FormatSplit, with runs of equal stages together: "6/14x5/4".
std::string ShortSplit(const models::parallel::Split& split) {
  std::string text;
  for (size_t i = 0; i < split.size();) {
    const auto layers = [&](size_t stage) { return split[stage].last - split[stage].first; };
    size_t end = i + 1;
    while (end < split.size() && layers(end) == layers(i)) {
      ++end;
    }
    absl::StrAppend(&text, i == 0 ? "" : "/", end - i > 2 ? absl::StrCat(end - i, "x") : "",
                    layers(i), end - i == 2 ? absl::StrCat("/", layers(i)) : "");
    i = end;
  }
  return text;
}

// "3", or "4-7" where a stage has several ranks.
std::string RanksOf(const DecoderPlan& plan, int stage) {
  const int first = plan.grid.RankOf(stage, 0);
  return plan.grid.tensor == 1 ? absl::StrCat(first)
                               : absl::StrCat(first, "-", first + plan.grid.tensor - 1);
}

std::string StageTable(const DecoderPlan& plan) {
  std::vector<std::vector<std::string>> rows = {{"STAGE", "RANKS", "LAYERS", "STEP", "BUSY",
                                                 "WEIGHTS", "WORKSPACE", "GRAPHS", "KV BLOCK",
                                                 "KV BLOCKS"}};
  for (const RankMemory& rank : plan.memory) {
    rows.push_back({absl::StrCat(rank.stage), RanksOf(plan, rank.stage),
                    absl::StrCat(rank.layers.first, "-", rank.layers.last - 1),
                    absl::StrFormat("%.3f ms", 1e3 * plan.stage_seconds[rank.stage]),
                    Percent(plan.pipelined.stage_busy[rank.stage]), GiB(rank.need.weights),
                    GiB(rank.need.workspace), GiB(rank.need.graphs),
                    absl::StrFormat("%.2f MiB", static_cast<double>(rank.kv_block_bytes) / 1048576),
                    rank.kv_blocks > 0 ? absl::StrCat(rank.kv_blocks) : "no room"});
  }
  return FormatTable(rows);
}

std::string PaceRow(const char* name, int slots, const PipelineResult& result) {
  return absl::StrFormat(
      "%s (%d in flight): %.0f tokens/s, %.1f steps/s, %s busy, a token each %.1f ms\n", name,
      slots, result.tokens_per_s, result.steps_per_s, Percent(1 - result.bubble),
      1e3 * result.step_latency_s);
}

nlohmann::json PaceJson(int slots, const PipelineResult& result) {
  return {{"slots", slots},
          {"tokens_per_s", result.tokens_per_s},
          {"prompt_tokens_per_s", result.prompt_tokens_per_s},
          {"steps_per_s", result.steps_per_s},
          {"step_latency_s", result.step_latency_s},
          {"stage_busy", result.stage_busy},
          {"front_busy", result.front_busy},
          {"bubble", result.bubble}};
}

}  // namespace

std::string FormatDecoderPlan(const DecoderPlan& plan) {
  const int64_t sequences = int64_t{plan.rows} * plan.slots;
  std::string text = absl::StrFormat(
      "%d stages by %d tensor ranks, %d devices of %s GiB\n"
      "split %s: stages can be %s busy at most, in the mean\n\n%s\n",
      plan.grid.pipeline, plan.grid.tensor, plan.grid.ranks(), GiB(plan.device.bytes),
      models::parallel::FormatSplit(plan.split), Percent(plan.busy_ceiling), StageTable(plan));
  absl::StrAppendFormat(&text,
                        "%d KV blocks: %d sequences of %d tokens. In flight: %d rows in each of %d "
                        "micro-batches, %d sequences%s\n",
                        plan.kv_blocks, plan.sequences_that_fit, plan.context, plan.rows,
                        plan.slots, sequences,
                        sequences > plan.sequences_that_fit ? ": more than fit" : "");
  text += PaceRow("pipelined", plan.slots, plan.pipelined);
  text += PaceRow("lock-step", 1, plan.lock_step);
  absl::StrAppend(&text, "Memory in GiB on each rank; KV blocks fill the rest. ", kPredictions);
  return text;
}

std::string FormatGrids(const std::vector<DecoderPlan>& plans) {
  std::vector<std::vector<std::string>> rows = {{"PIPELINE", "TENSOR", "SPLIT", "CEILING", "BUSY",
                                                 "TOKENS/S", "TOKEN EACH", "MICRO-BATCHES",
                                                 "SEQUENCES THAT FIT"}};
  for (const DecoderPlan& plan : plans) {
    rows.push_back({absl::StrCat(plan.grid.pipeline), absl::StrCat(plan.grid.tensor),
                    ShortSplit(plan.split), Percent(plan.busy_ceiling),
                    Percent(1 - plan.pipelined.bubble),
                    absl::StrFormat("%.0f", plan.pipelined.tokens_per_s),
                    absl::StrFormat("%.1f ms", 1e3 * plan.pipelined.step_latency_s),
                    absl::StrCat(plan.slots, " of ", plan.rows, " rows"),
                    plan.kv_blocks > 0 ? absl::StrCat(plan.sequences_that_fit) : "no room"});
  }
  return absl::StrCat(FormatTable(rows), kPredictions);
}

nlohmann::json DecoderPlanJson(const DecoderPlan& plan) {
  nlohmann::json json = {{"pipeline", plan.grid.pipeline},
                         {"tensor", plan.grid.tensor},
                         {"device_bytes", plan.device.bytes},
                         {"split", models::parallel::FormatSplit(plan.split)},
                         {"busy_ceiling", plan.busy_ceiling},
                         {"stages", nlohmann::json::array()},
                         {"rows", plan.rows},
                         {"context", plan.context},
                         {"kv_blocks", plan.kv_blocks},
                         {"sequences_that_fit", plan.sequences_that_fit},
                         {"pipelined", PaceJson(plan.slots, plan.pipelined)},
                         {"lock_step", PaceJson(1, plan.lock_step)}};
  for (const RankMemory& rank : plan.memory) {
    json["stages"].push_back({{"first_rank", plan.grid.RankOf(rank.stage, 0)},
                              {"first_layer", rank.layers.first},
                              {"last_layer", rank.layers.last - 1},
                              {"step_s", plan.stage_seconds[rank.stage]},
                              {"weight_bytes", rank.need.weights},
                              {"workspace_bytes", rank.need.workspace},
                              {"graph_bytes", rank.need.graphs},
                              {"kv_block_bytes", rank.kv_block_bytes},
                              {"kv_blocks", std::max<int64_t>(0, rank.kv_blocks)}});
  }
  return json;
}

}  // namespace terminus::tools::cli
