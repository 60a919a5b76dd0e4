// The decoder engine on a GPU, with random weights in the shape of Llama-3.1-8B, from
// Engine::Submit to the token sink: no tokenizer, no gRPC.
//
//     decoder_gpu_bench [--tests decode,prefill,ttft,beside,serve,sampling] [--kv-gib 30]
//                       [--max-tokens 8192] [--layers 32] [--batches 1,8,…] [--delay-ms 0]
//                       [--tuning-directory FOLDER]
//
// prints a JSON line {"figure": …, "value": …, "unit": …} for each figure. The work is that of the
// peers that bench/area_decoder.py runs beside it: a step's time is a long run less a short one.
//
// With --folder FOLDER the weights are those of a Hugging Face folder. With --tests ask, which is
// for bench/area_decoder.py, it prints "ready Terminus" and reads lines until its input ends:
//     time COUNT LENGTH TOKENS [sampled]  → "took SECONDS": COUNT new prompts of LENGTH tokens,
//         submitted together, until each has made TOKENS; greedy, or with every sampling rule
//     beside RUNNING LENGTH ROUNDS        → "took SECONDS ...": to the first token of a prompt of
//         LENGTH tokens, ROUNDS times, while RUNNING sequences are decoded
//     tokens COUNT ID ...                 → "made ID ...": the COUNT greedy tokens that follow
#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/mutex.h"
#include "common/metrics/metrics.h"
#include "models/cuda/library.h"
#include "models/decoder/cuda_llama.h"
#include "models/decoder/load.h"
#include "models/decoder/runner.h"
#include "services/decoder/pipeline/engine.h"
#include "services/decoder/pipeline/lm_stage.h"

namespace terminus::bench {
namespace {

using models::decoder::CudaLlama;
using models::decoder::LlamaConfig;
using models::sampling::Parameters;
using services::decoder::pipeline::EndReason;
using services::decoder::pipeline::Engine;
using services::decoder::pipeline::EngineMetrics;
using services::decoder::pipeline::GenerationReport;
using services::decoder::pipeline::LmStage;
using services::decoder::pipeline::Stage;
using services::decoder::pipeline::StageFactory;
using services::decoder::pipeline::StepMasks;
using services::decoder::pipeline::TokenSink;
using services::decoder::scheduler::StepPlan;
using Prompts = std::vector<std::vector<int32_t>>;

constexpr int kHidden = 4096;
constexpr int kInner = 14336;
constexpr int kVocabulary = 128256;
constexpr double kLayerWeights = kHidden * 6144.0 + kHidden * 4096.0 + 3.0 * kHidden * kInner;

LlamaConfig Llama8b(int layers) {
  LlamaConfig config;
  config.vocab_size = kVocabulary;
  config.hidden_size = kHidden;
  config.layers = layers;
  config.heads = 32;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.intermediate_size = kInner;
  config.max_positions = 8192;
  config.rms_norm_eps = 1e-5f;
  config.rope.theta = 500000;
  config.layer_attention.resize(layers);
  return config;
}

CudaLlama::Tensors RandomTensors(const LlamaConfig& config) {
  const auto options = at::TensorOptions(at::kCUDA).dtype(at::kBFloat16);
  const auto matrix = [&](int64_t out, int64_t in) {
    return at::empty({out, in}, options).normal_(0, 0.02);
  };
  const auto norm = [&] { return at::ones({kHidden}, options); };
  CudaLlama::Tensors tensors;
  for (int i = 0; i < config.layers; ++i) {
    tensors.layers.push_back({.attention_norm = norm(),
                              .qkv = {.weight = matrix(6144, kHidden), .bias = {}},
                              .query_norm = {},
                              .key_norm = {},
                              .attention_out = {.weight = matrix(kHidden, 4096), .bias = {}},
                              .mlp_norm = norm(),
                              .gate_up = {.weight = matrix(2 * kInner, kHidden), .bias = {}},
                              .down = {.weight = matrix(kHidden, kInner), .bias = {}}});
  }
  tensors.embedding = matrix(kVocabulary, kHidden);
  tensors.final_norm = norm();
  tensors.head = matrix(kVocabulary, kHidden);
  return tensors;
}

// Counts the tokens of all generations of a run, and waits for the last.
class Run {
 public:
  explicit Run(int generations) : left_(generations) {}

  class Sink : public TokenSink {
   public:
    explicit Sink(Run& run) : run_(run) {}
    bool Full(int /*choice*/) const override { return false; }
    void OnToken(int /*choice*/, models::sampling::Sampled token) override {
      run_.Token(token.chosen.token);
    }
    void OnEnd(int /*choice*/, EndReason /*reason*/) override {}
    void OnDone(const absl::Status& status, const GenerationReport& /*report*/) override {
      TERMINUS_CHECK(status.ok());
      run_.Done();
    }

   private:
    Run& run_;
  };

  void Wait() {
    base::MutexLock lock(mutex_);
    while (left_ > 0) {
      changed_.Wait(mutex_);
    }
  }
  void WaitForTokens(int64_t count) {
    base::MutexLock lock(mutex_);
    while (static_cast<int64_t>(ids_.size()) < count) {
      changed_.Wait(mutex_);
    }
  }
  // The ids of all generations, in the order in which they were made.
  std::vector<int32_t> ids() {
    base::MutexLock lock(mutex_);
    return ids_;
  }

 private:
  void Token(int32_t id) {
    base::MutexLock lock(mutex_);
    ids_.push_back(id);
    changed_.NotifyAll();
  }
  void Done() {
    base::MutexLock lock(mutex_);
    --left_;
    changed_.NotifyAll();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  int left_;
  std::vector<int32_t> ids_;
};

// Delays the engine's thread before it gives each plan to the stage.
class DelayedStage : public Stage {
 public:
  DelayedStage(std::unique_ptr<Stage> stage, int milliseconds)
      : stage_(std::move(stage)), delay_(milliseconds) {}

  void Submit(StepPlan plan) override {
    std::this_thread::sleep_for(delay_);
    stage_->Submit(std::move(plan));
  }
  void SendMasks(uint64_t step, StepMasks masks) override {
    stage_->SendMasks(step, std::move(masks));
  }
  void Flush() override { stage_->Flush(); }
  const models::decoder::RunnerInfo& info() const override { return stage_->info(); }
  const models::sampling::LogitRules& rules() const override { return stage_->rules(); }

 private:
  const std::unique_ptr<Stage> stage_;
  const std::chrono::milliseconds delay_;
};

StageFactory Delayed(StageFactory make_stage, int milliseconds) {
  return [make_stage = std::move(make_stage),
          milliseconds](Stage::OnResult on_result) -> std::unique_ptr<Stage> {
    auto stage = make_stage(std::move(on_result));
    if (milliseconds == 0) {
      return stage;
    }
    return std::make_unique<DelayedStage>(std::move(stage), milliseconds);
  };
}

class Bench {
 public:
  explicit Bench(Engine& engine) : engine_(engine) {}

  // Never the same prompts twice: nothing comes from the prefix cache, as with the peers.
  Prompts MakePrompts(int count, int length) {
    std::uniform_int_distribution<int32_t> token(10, 127999);
    Prompts prompts(static_cast<size_t>(count));
    for (auto& prompt : prompts) {
      prompt.resize(static_cast<size_t>(length));
      std::generate(prompt.begin(), prompt.end(), [&] { return token(random_); });
    }
    return prompts;
  }

  void Submit(const Prompts& prompts, int tokens, const Parameters& parameters, Run& run) {
    for (const std::vector<int32_t>& prompt : prompts) {
      engine_.Submit({.prompt = prompt,
                      .sampling = parameters,
                      .max_tokens = tokens,
                      .ignore_eos = true,
                      .arrival = absl::Now(),
                      .sink = std::make_shared<Run::Sink>(run)});
    }
  }

  // Seconds from the first Submit to the last end.
  double Time(int count, int length, int tokens, const Parameters& parameters = kGreedy) {
    const Prompts prompts = MakePrompts(count, length);
    Run run(count);
    const auto start = std::chrono::steady_clock::now();
    Submit(prompts, tokens, parameters, run);
    run.Wait();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    TERMINUS_CHECK(run.ids().size() == static_cast<size_t>(count) * tokens);
    return time.count();
  }

  static void Say(const std::string& figure, double value, const std::string& unit) {
    std::printf(
        "%s\n",
        nlohmann::json{{"figure", figure}, {"value", value}, {"unit", unit}}.dump().c_str());
    std::fflush(stdout);
  }

  // Milliseconds of a step; contexts of 448 to 576 tokens.
  double StepTime(int batch, const Parameters& parameters) {
    Time(batch, 431, 17, parameters);
    const double brief =
        std::min(Time(batch, 431, 17, parameters), Time(batch, 431, 17, parameters));
    const double full =
        std::min(Time(batch, 431, 145, parameters), Time(batch, 431, 145, parameters));
    return (full - brief) / 128 * 1e3;
  }

  void Decode(const std::vector<int>& batches) {
    for (const int batch : batches) {
      Say(absl::StrCat("decode_ms.b", batch), StepTime(batch, kGreedy), "ms/step");
    }
  }

  void Sampling() {
    const double greedy = StepTime(256, kGreedy);
    Say("sampling_ratio.b256", StepTime(256, kEveryRule) / greedy, "x greedy");
  }

  void Prefill(int layers) {
    for (const int count : {1, 4}) {
      std::vector<double> times;
      for (int i = 0; i < 7; ++i) {
        times.push_back(Time(count, 4096, 1));
      }
      std::sort(times.begin(), times.end());
      const double time = times[times.size() / 2];
      const double operations =
          count * (2 * 4096 * kLayerWeights * layers + 2.0 * kVocabulary * kHidden +
                   layers * 4.0 * 4096 * 4096 * 4096 / 2);
      Say(absl::StrCat("prefill_tflops.4096x", count), operations / time / 1e12, "TFLOP/s");
    }
  }

  std::vector<double> FirstTokenTimes(int length, int rounds) {
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
      times.push_back(Time(1, length, 1));
    }
    return times;
  }

  static double MedianMs(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2] * 1e3;
  }

  void FirstToken() {
    for (const int length : {128, 512}) {
      Say(absl::StrCat("ttft_ms.", length), MedianMs(FirstTokenTimes(length, 20)), "ms");
    }
  }

  // Beside `running` sequences, which are in the middle of their answers.
  std::vector<double> FirstTokenTimesBeside(int running, int length, int rounds) {
    Run background(running);
    Submit(MakePrompts(running, 431), 600, kGreedy, background);
    background.WaitForTokens(int64_t{running} * 16);
    std::vector<double> times = FirstTokenTimes(length, rounds);
    TERMINUS_CHECK(background.ids().size() < static_cast<size_t>(running) * 600);
    background.Wait();
    return times;
  }

  void FirstTokenBeside() {
    Say("ttft_beside_64_ms.512", MedianMs(FirstTokenTimesBeside(64, 512, 20)), "ms");
  }

  void Serve() {
    for (const int count : {128, 512}) {
      double best = 1e9;
      for (int i = 0; i < 3; ++i) {
        best = std::min(best, Time(count, 256, 128));
      }
      Say(absl::StrCat("serve_tokens_per_s.", count), count * 128 / best, "tokens/s");
    }
  }

  // Answers lines until the input ends. A line that is no command ends the program.
  int Ask() {
    std::puts("ready Terminus");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
      const absl::StatusOr<std::string> answer = Answer(line);
      if (!answer.ok()) {
        std::fprintf(stderr, "%s\n", answer.status().ToString().c_str());
        return 1;
      }
      std::puts(answer->c_str());
      std::fflush(stdout);
    }
    return 0;
  }

  static const Parameters kGreedy;
  static const Parameters kEveryRule;

 private:
  absl::StatusOr<std::string> Answer(const std::string& line) {
    std::istringstream stream(line);
    std::string command, rules;
    std::vector<int> fields;
    stream >> command;
    for (int field = 0; stream >> field;) {
      fields.push_back(field);
    }
    stream.clear();
    stream >> rules;
    if (command == "time" && fields.size() == 3 && (rules.empty() || rules == "sampled")) {
      return absl::StrCat(
          "took ", Time(fields[0], fields[1], fields[2], rules.empty() ? kGreedy : kEveryRule));
    }
    if (command == "beside" && fields.size() == 3 && rules.empty()) {
      return absl::StrCat(
          "took ", absl::StrJoin(FirstTokenTimesBeside(fields[0], fields[1], fields[2]), " "));
    }
    if (command == "tokens" && fields.size() > 1 && rules.empty()) {
      Run run(1);
      Submit({{fields.begin() + 1, fields.end()}}, fields[0], kGreedy, run);
      run.Wait();
      return absl::StrCat("made ", absl::StrJoin(run.ids(), " "));
    }
    return absl::InvalidArgumentError(absl::StrCat("not a command: ", line));
  }

  Engine& engine_;
  std::mt19937 random_{1};
};

const Parameters Bench::kGreedy = {.temperature = 0};
const Parameters Bench::kEveryRule = {.temperature = 0.8f,
                                      .top_k = 50,
                                      .top_p = 0.9f,
                                      .repetition_penalty = 1.1f,
                                      .frequency_penalty = 0.1f,
                                      .presence_penalty = 0.1f,
                                      .seed = 7};

// The model of `folder`; of random weights if it is empty.
absl::StatusOr<std::unique_ptr<models::decoder::CausalLm>> MakeModel(
    const std::string& folder, int layers, const models::decoder::LmOptions& options) {
  const at::Device device(at::kCUDA, 0);
  if (!folder.empty()) {
    return models::decoder::LoadCausalLm(folder, device, options);
  }
  const LlamaConfig config = Llama8b(layers);
  return CudaLlama::Create(config, options, device, RandomTensors(config));
}

int Main(int argc, char** argv) {
  std::string tests = "decode,prefill,ttft,beside,serve,sampling";
  double kv_gib = 30;
  int max_tokens = 8192;
  int layers = 32;
  std::string folder;
  std::vector<int> batches = {1, 8, 32, 64, 128, 256};
  int delay_ms = 0;
  std::string tuning_directory;
  CLI::App app("The decoder engine on a GPU");
  app.add_option("--tests", tests);
  app.add_option("--kv-gib", kv_gib);
  app.add_option("--max-tokens", max_tokens);
  app.add_option("--layers", layers);
  app.add_option("--folder", folder);
  app.add_option("--batches", batches)->delimiter(',');
  app.add_option("--delay-ms", delay_ms);
  app.add_option("--tuning-directory", tuning_directory);
  CLI11_PARSE(app, argc, argv);
  if (const auto gpu = models::cuda::FindDevice(0); !gpu.ok()) {
    std::fprintf(stderr, "%s\n", gpu.status().ToString().c_str());
    return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  const models::decoder::LmOptions options = {.kv_bytes = static_cast<int64_t>(kv_gib * (1 << 30)),
                                              .max_sequences = 512,
                                              .max_tokens = max_tokens,
                                              .tuning_directory = tuning_directory};
  auto lm = MakeModel(folder, layers, options);
  if (!lm.ok()) {
    std::fprintf(stderr, "%s\n", lm.status().ToString().c_str());
    return 1;
  }
  metrics::Registry registry("bench");
  EngineMetrics metrics(registry);
  Engine engine(
      {.limits = {.max_sequences = 512, .token_budget = max_tokens}},
      Delayed(LmStage::Factory(models::decoder::MakeRunner(*std::move(lm), {}, {}), {}), delay_ms),
      metrics);
  Bench bench(engine);
  bench.Time(4, 64, 8);
  if (tests == "ask") {
    return bench.Ask();
  }
  const std::chrono::duration<double> ready = std::chrono::steady_clock::now() - begin;
  Bench::Say("ready_s", ready.count(), "s");
  for (const absl::string_view test : absl::StrSplit(tests, ',')) {
    if (test == "decode") bench.Decode(batches);
    if (test == "prefill") bench.Prefill(layers);
    if (test == "ttft") bench.FirstToken();
    if (test == "beside") bench.FirstTokenBeside();
    if (test == "serve") bench.Serve();
    if (test == "sampling") bench.Sampling();
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
