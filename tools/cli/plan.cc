#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include "common/base/status_macros.h"
#include "models/decoder/llama_config.h"
#include "models/parallel/decoder_plan.h"
#include "models/parallel/shapes.h"
#include "tools/cli/command.h"
#include "tools/cli/decoder_report.h"

namespace terminus::tools::cli {
namespace {

namespace parallel = models::parallel;

// As they are written on the command line; `plan` has the rest.
struct DecoderOptions {
  std::string shape;
  std::string model;
  int devices = 0;
  double device_gib = 141;
  double read_tb_per_s = 4.38;
  double tera_operations_per_s = 790;
  double all_reduce_gb_per_s = 450;
  double link_gb_per_s = 450;
  double layer_overhead_us = 0;
  double all_reduce_us = 7;
  double link_us = 10;
  double sampling_us = 100;
  double return_us = 50;
  double host_us = 200;
  parallel::DecoderPlanOptions plan;
};

parallel::DecoderPlanOptions PlanOptionsOf(const DecoderOptions& options) {
  parallel::DecoderPlanOptions plan = options.plan;
  plan.device.bytes = std::llround(std::ldexp(options.device_gib, 30));
  plan.rates.read_bytes_per_s = options.read_tb_per_s * 1e12;
  plan.rates.operations_per_s = options.tera_operations_per_s * 1e12;
  plan.rates.link_bytes_per_s = options.all_reduce_gb_per_s * 1e9;
  plan.rates.layer_overhead_s = options.layer_overhead_us * 1e-6;
  plan.rates.all_reduce_latency_s = options.all_reduce_us * 1e-6;
  plan.overheads = {.link_latency_s = options.link_us * 1e-6,
                    .link_bytes_per_s = options.link_gb_per_s * 1e9,
                    .sampling_s = options.sampling_us * 1e-6,
                    .return_latency_s = options.return_us * 1e-6,
                    .host_s = options.host_us * 1e-6};
  return plan;
}

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

absl::Status Compare(const Globals& globals, const models::decoder::LlamaConfig& config,
                     const DecoderOptions& options) {
  const auto plans = parallel::CompareGrids(config, PlanOptionsOf(options), options.devices);
  if (!plans.ok()) {
    return UsageError(std::string(plans.status().message()));
  }
  if (globals.json) {
    nlohmann::json grids = nlohmann::json::array();
    for (const parallel::DecoderPlan& plan : *plans) {
      grids.push_back(DecoderPlanJson(plan));
    }
    PrintJson({{"grids", grids}});
  } else {
    Print(FormatGrids(*plans));
  }
  // One grid that fits is enough.
  absl::Status status;
  for (const parallel::DecoderPlan& plan : *plans) {
    status = parallel::CheckRoom(plan);
    if (status.ok()) {
      break;
    }
  }
  return status;
}

absl::Status RunDecoder(const Globals& globals, const DecoderOptions& options) {
  TERMINUS_ASSIGN_OR_RETURN(const models::decoder::LlamaConfig config,
                            options.model.empty()
                                ? parallel::ShapeByName(options.shape)
                                : models::decoder::ReadLlamaConfig(options.model));
  if (options.devices != 0) {
    return Compare(globals, config, options);
  }
  const auto plan = parallel::PlanDecoder(config, PlanOptionsOf(options));
  if (!plan.ok()) {
    return UsageError(std::string(plan.status().message()));
  }
  if (globals.json) {
    PrintJson(DecoderPlanJson(*plan));
  } else {
    Print(FormatDecoderPlan(*plan));
  }
  return parallel::CheckRoom(*plan);
}

void AddGrid(CLI::App& app, DecoderOptions& options) {
  CLI::Option_group* const source = app.add_option_group("model");
  source->add_option("--shape", options.shape, "A published model of Llama 3.1")
      ->check(CLI::IsMember({"8b", "70b", "405b"}));
  source->add_option("--model", options.model, "A folder with a config.json")
      ->check(CLI::ExistingDirectory);
  source->require_option(1);
  parallel::DecoderPlanOptions& plan = options.plan;
  CLI::Option* const devices =
      app.add_option("--devices", options.devices,
                     "Compare the grids of so many devices, instead of one grid")
          ->check(CLI::Range(1, 4096));
  CLI::Option* const pipeline =
      app.add_option("--pipeline", plan.grid.pipeline, "Stages, each with some of the layers");
  CLI::Option* const tensor = app.add_option("--tensor", plan.grid.tensor,
                                             "Ranks of a stage, each with a slice of the matrices");
  CLI::Option* const split = app.add_option(
      "--split", plan.split, "Layers of each stage, such as 17/15 (default: by cost)");
  devices->excludes(pipeline)->excludes(tensor)->excludes(split);
  app.add_option("--device-gib", options.device_gib, "Memory of a device")
      ->check(CLI::Range(0.1, 1e6));
  app.add_option("--memory-share", plan.device.share, "The share of it that may be taken")
      ->check(CLI::Range(0.01, 1.0));
}

void AddLoad(CLI::App& app, parallel::DecoderPlanOptions& plan) {
  app.add_option("--rows", plan.rows, "Sequences of a micro-batch");
  app.add_option("--sequences", plan.sequences,
                 "Sequences in flight, divided over the micro-batches; 0: --rows in each");
  app.add_option("--context", plan.context, "Tokens that each of them sees");
  app.add_option("--slots", plan.slots, "Micro-batches in flight; 0: see docs/parallelism.md");
  app.add_option("--output-tokens", plan.output_tokens,
                 "Mean length of answers, which end at random; 0: sequences never end");
  app.add_option("--prompt-tokens", plan.prompt_tokens, "Prompt of each of these sequences");
  app.add_option("--prompt-budget", plan.prompt_budget, "Most tokens of prompts in one step");
  app.add_option("--seed", plan.seed, "Seed of the lengths");
}

void AddRates(CLI::App& app, DecoderOptions& options) {
  const auto add = [&app](const char* name, double& value, const char* help) {
    app.add_option(name, value, help)->check(CLI::Range(1e-3, 1e9));
  };
  const auto add_time = [&app](const char* name, double& value, const char* help) {
    app.add_option(name, value, help)->check(CLI::Range(0.0, 1e9));
  };
  add("--read-tbs", options.read_tb_per_s, "TB/s that a device reads");
  add("--tflops", options.tera_operations_per_s, "TFLOP/s that a device computes");
  add("--all-reduce-gbs", options.all_reduce_gb_per_s, "GB/s one way between tensor ranks");
  add("--link-gbs", options.link_gb_per_s, "GB/s one way from stage to stage");
  add_time("--layer-overhead-us", options.layer_overhead_us, "Beginnings and ends of its kernels");
  add_time("--all-reduce-us", options.all_reduce_us, "Latency of a sum over tensor ranks");
  add_time("--link-us", options.link_us, "Latency from stage to stage");
  add_time("--sampling-us", options.sampling_us, "Sampling a micro-batch");
  add_time("--return-us", options.return_us, "From the sampler to the first stage");
  add_time("--host-us", options.host_us, "Planning a step");
}

}  // namespace

void AddPlanCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* plan = app.add_subcommand("plan", "Say what a model would take of devices, and reach");
  plan->require_subcommand(1);
  CLI::App* decoder = plan->add_subcommand(
      "decoder", "Divide a language model over devices: split, memory, predicted pace");
  decoder->fallthrough();
  auto options = std::make_shared<DecoderOptions>();
  AddGrid(*decoder, *options);
  AddLoad(*decoder, options->plan);
  AddRates(*decoder, *options);
  decoder->callback([&globals, &command, options] {
    command = [&globals, options] { return RunDecoder(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
