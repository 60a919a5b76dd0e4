#include "services/decoder/load/load_model.h"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/grammar/compiler.h"
#include "common/grammar/vocabulary.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "models/decoder/runner.h"
#include "services/decoder/edge/model_codec.h"
#include "services/decoder/load/grid_model.h"
#include "services/decoder/pipeline/lm_stage.h"

namespace terminus::services::decoder::load {
namespace {

absl::StatusOr<std::unique_ptr<grammar::Compiler>> MakeCompiler(
    const tokenizer::Tokenizer& tokenizer, int vocab_size,
    const models::decoder::GenerationSettings& settings, const config::GrammarOptions& options,
    grammar::CompilerMetrics& metrics) {
  TERMINUS_ASSIGN_OR_RETURN(
      std::shared_ptr<const grammar::Vocabulary> vocabulary,
      grammar::Vocabulary::Create(tokenizer, vocab_size, settings.eos_token_ids));
  return std::make_unique<grammar::Compiler>(
      grammar::Compiler::Options{.threads = options.compile_threads,
                                 .max_waiting = static_cast<size_t>(options.max_waiting),
                                 .cache_bytes = options.cache_bytes},
      metrics, std::move(vocabulary),
      grammar::Limits{.source_bytes = static_cast<size_t>(options.source_bytes),
                      .compile_time = options.compile_time,
                      .compile_bytes = options.compile_bytes,
                      .token_time = options.token_time,
                      .answer_bytes = options.answer_bytes});
}

int MaskThreads(const config::GrammarOptions& options) {
  const auto half = static_cast<int>(std::thread::hardware_concurrency() / 2);
  return options.mask_threads > 0 ? options.mask_threads : std::clamp(half, 2, 16);
}

// Empty where there is no home either.
std::string TuningDirectory(const config::DecoderConfig& options) {
  if (!options.tuning_directory.empty()) {
    return options.tuning_directory;
  }
  if (const char* home = std::getenv("TERMINUS_HOME"); home != nullptr && *home != '\0') {
    return absl::StrCat(home, "/tuning");
  }
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : absl::StrCat(home, "/.cache/terminus/tuning");
}

// The stage of a model in this process.
pipeline::StageFactory LocalStage(models::bundle::DecoderModel& loaded) {
  // A paused sequence keeps its slot, and the others run in its place.
  return pipeline::LmStage::Factory(
      models::decoder::MakeRunner(std::move(loaded.lm), loaded.generation.rules,
                                  {.device = loaded.device,
                                   .slots = loaded.options.slots(),
                                   .max_tokens = loaded.options.max_tokens}),
      loaded.generation.rules);
}

absl::StatusOr<std::unique_ptr<edge::ServedModel>> LoadModel(
    const models::bundle::BundleManifest& manifest, const config::DecoderConfig& options,
    ModelMetrics& metrics, const OnGridFailure& on_grid_failure, std::string& device) {
  const bool in_ranks = options.grid.world() > 1;
  TERMINUS_ASSIGN_OR_RETURN(
      models::bundle::DecoderModel loaded,
      models::bundle::LoadDecoder(manifest, {.device = options.device,
                                             .threads = options.threads,
                                             .kv_bytes = options.kv_bytes,
                                             .max_sequences = options.max_sequences,
                                             .max_tokens = options.token_budget,
                                             .tuning_directory = TuningDirectory(options),
                                             .check_only = in_ranks}));
  auto model = std::make_unique<edge::ServedModel>();
  model->settings = loaded.generation;
  model->vocab_size = loaded.lm->vocab_size();
  model->dtype =
      loaded.lm->dtype() == models::decoder::ComputeDType::kBFloat16 ? "bfloat16" : "float32";
  model->grammars = MakeCompiler(*loaded.tokenizer, model->vocab_size, model->settings,
                                 options.grammar, metrics.grammars);
  device = loaded.device;
  models::decoder::LmOptions sizes = loaded.options;
  pipeline::StageFactory stage;
  if (in_ranks) {
    TERMINUS_ASSIGN_OR_RETURN(
        auto grid, OpenGrid(manifest, options, loaded.generation.rules, on_grid_failure));
    device = grid->info().device;
    sizes.max_tokens = grid->info().max_tokens;
    sizes.max_sequences = grid->info().slots / 2;
    stage = grid::GridStage::Factory(std::move(grid));
  } else {
    TERMINUS_RETURN_IF_ERROR(models::bundle::VerifyDecoder(manifest, loaded));
    stage = LocalStage(loaded);
  }
  model->engine = std::make_unique<pipeline::Engine>(
      pipeline::Engine::Options{
          .limits = {.max_sequences = sizes.max_sequences, .token_budget = sizes.max_tokens},
          .eos_token_ids = loaded.generation.eos_token_ids,
          .mask_threads = MaskThreads(options.grammar)},
      stage, metrics.engine);
  model->codec = edge::MakeCodec(std::move(loaded.tokenizer), std::move(loaded.chat_template),
                                 std::move(loaded.special_tokens), model->vocab_size);
  return model;
}

}  // namespace

absl::StatusOr<std::shared_ptr<edge::ServedBundle>> LoadBundle(
    const std::string& folder, const config::DecoderConfig& options, ModelMetrics& metrics,
    const OnGridFailure& on_grid_failure) {
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(folder));
  auto bundle = std::make_shared<edge::ServedBundle>();
  bundle->name = manifest.name;
  bundle->space_id = manifest.space.id;
  bundle->dimension = manifest.space.dimension;
  bundle->logit_scale = manifest.space.logit_scale;
  bundle->device = "cpu";
  if (manifest.decoder.has_value()) {
    TERMINUS_ASSIGN_OR_RETURN(
        bundle->model, LoadModel(manifest, options, metrics, on_grid_failure, bundle->device));
  }
  return bundle;
}

}  // namespace terminus::services::decoder::load
