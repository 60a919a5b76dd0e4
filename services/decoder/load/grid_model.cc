#include "services/decoder/load/grid_model.h"

#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/temp_folder.h"
#include "common/base/version.h"
#include "common/executor/guard.h"
#include "models/bundle/decoder.h"
#include "models/decoder/collective_group.h"
#include "models/decoder/collective_links.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/lm_runner.h"
#include "models/parallel/cost_model.h"
#include "models/parallel/grid.h"
#include "models/parallel/stage_split.h"
#include "services/decoder/grid/processes.h"
#include "services/decoder/grid/rank.h"
#include "services/decoder/load/model_headers.h"
#include "services/decoder/scheduler/plan.h"

namespace terminus::services::decoder::load {
namespace {

using models::decoder::CollectiveLinks;

// Ranks that the front starts get the secret by their environment, which other users cannot read.
constexpr char kSecretVariable[] = "TERMINUS_GRID_SECRET";
constexpr size_t kMaxSecretBytes = 4096;
// A stage waits as long for its neighbour, which may compute a long prompt.
constexpr absl::Duration kLinkPatience = absl::Minutes(10);

absl::StatusOr<std::string> ReadSecret(const config::GridOptions& grid) {
  if (!grid.secret_file.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                              base::ReadFile(grid.secret_file, kMaxSecretBytes));
    const std::string secret(absl::StripAsciiWhitespace(text));
    if (secret.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("decoder.grid.secret_file: ", grid.secret_file, " is empty"));
    }
    return secret;
  }
  if (const char* secret = std::getenv(kSecretVariable); secret != nullptr && *secret != '\0') {
    return std::string(secret);
  }
  return absl::InvalidArgumentError(
      "decoder.grid.secret_file is not set: the front and its ranks need a common secret where "
      "decoder.grid.rendezvous is set");
}

std::string NewSecret() {
  unsigned char bytes[32];
  TERMINUS_CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof(bytes)});
}

// Where the ranks meet: beside the place where they find the front.
absl::StatusOr<std::string> MeetingOf(const std::string& rendezvous) {
  if (absl::StartsWith(rendezvous, "unix:")) {
    return absl::StrCat(rendezvous, ".ranks");
  }
  const size_t colon = rendezvous.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(rendezvous.substr(colon + 1), &port) ||
      port < 1 || port > 65534) {
    return absl::InvalidArgumentError(absl::StrCat("decoder.grid.rendezvous: ", rendezvous,
                                                   ", expected unix:/path or host:port"));
  }
  return absl::StrCat(rendezvous.substr(0, colon + 1), port + 1);
}

// The layers of each stage: by cost, or as `grid.layers` says.
absl::StatusOr<std::vector<int>> DivideLayers(const models::decoder::LlamaConfig& config,
                                              const config::GridOptions& grid) {
  namespace parallel = models::parallel;
  const absl::Status fits =
      parallel::CheckGrid(config, {.pipeline = grid.pipeline, .tensor = grid.tensor});
  TERMINUS_RETURN_IF_ERROR(base::Annotate(fits, "decoder.grid"));
  parallel::Split split;
  if (grid.layers.empty()) {
    const parallel::CostModel costs(config, grid.tensor, parallel::Rates());
    split = parallel::SplitLayers(costs, grid.pipeline, parallel::WorkOf(parallel::Mix()));
  } else {
    auto parsed = parallel::ParseSplit(grid.layers, grid.pipeline, config.layers);
    TERMINUS_RETURN_IF_ERROR(base::Annotate(parsed.status(), "decoder.grid.layers"));
    split = *std::move(parsed);
  }
  std::vector<int> layers;
  for (const models::decoder::LayerRange& range : split) {
    layers.push_back(range.last - range.first);
  }
  return layers;
}

absl::StatusOr<grid::Terms> TermsOf(const models::bundle::BundleManifest& manifest,
                                    const config::GridOptions& grid) {
  if (grid.tensor > 1 && grid.pipeline > 1 && !grid.rendezvous.empty() &&
      !absl::StartsWith(grid.rendezvous, "unix:")) {
    return absl::UnimplementedError(
        "decoder.grid: stages of several ranks on several machines; give pipeline or tensor alone, "
        "or leave decoder.grid.rendezvous empty");
  }
  TERMINUS_ASSIGN_OR_RETURN(std::string model, FingerprintHeaders(manifest.decoder->path));
  return grid::Terms{.shape = {.pipeline = grid.pipeline, .tensor = grid.tensor},
                     .build = kVersion,
                     .plan_version = scheduler::kPlanVersion,
                     .model = std::move(model)};
}

int ThreadsOfRank(const config::DecoderConfig& options) {
  const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return options.threads > 0 ? options.threads : std::max(1, cores / options.grid.world());
}

std::vector<grid::RankProcesses::Command> Commands(const models::bundle::BundleManifest& manifest,
                                                   const config::DecoderConfig& options,
                                                   const std::string& rendezvous,
                                                   const std::string& secret) {
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  std::vector<grid::RankProcesses::Command> commands;
  for (int rank = 0; rank < options.grid.world(); ++rank) {
    grid::RankProcesses::Command& command = commands.emplace_back();
    command.environment = {absl::StrCat(kSecretVariable, "=", secret)};
    command.arguments = {self, "--bundle", manifest.folder};
    const auto set = [&command](absl::string_view key, const auto& value) {
      command.arguments.insert(command.arguments.end(),
                               {"--set", absl::StrCat("decoder.", key, "=", value)});
    };
    set("device", options.device);
    set("threads", ThreadsOfRank(options));
    set("max_sequences", options.max_sequences);
    set("token_budget", options.token_budget);
    set("kv_bytes", options.kv_bytes);
    set("grid.pipeline", options.grid.pipeline);
    set("grid.tensor", options.grid.tensor);
    set("grid.rendezvous", rendezvous);
    set("grid.rank", rank);
    set("grid.join_ms", absl::ToInt64Milliseconds(options.grid.join_timeout));
    set("grid.load_ms", absl::ToInt64Milliseconds(options.grid.load_timeout));
  }
  return commands;
}

// The processes that the front started, and the folder of the sockets by which they find it.
struct Started {
  base::TempFolder folder;
  absl::optional<grid::RankProcesses> processes;
};

models::decoder::LayerRange LayersOf(const grid::Placement& placement) {
  models::decoder::LayerRange range = {.first = 0, .last = 0};
  for (int stage = 0; stage <= placement.stage(); ++stage) {
    range.first = range.last;
    range.last += placement.layers[static_cast<size_t>(stage)];
  }
  return range;
}

models::decoder::LmOptions OptionsOf(const config::DecoderConfig& options,
                                     const grid::Placement& placement,
                                     const grid::Meeting& meeting) {
  models::decoder::LmOptions part = {.device = options.device,
                                     .threads = options.threads,
                                     .kv_bytes = options.kv_bytes,
                                     .max_sequences = options.max_sequences,
                                     .max_tokens = options.token_budget,
                                     .layers = LayersOf(placement)};
  if (meeting.stage != nullptr) {
    part.tensor = {.rank = meeting.stage->rank(), .size = meeting.stage->size()};
    part.tensor_group = std::make_shared<models::decoder::CollectiveGroup>(
        meeting.stage, models::decoder::CollectiveGroup::Options{.patience = kLinkPatience});
  }
  return part;
}

absl::StatusOr<grid::LoadedRank> LoadPart(const models::bundle::BundleManifest& manifest,
                                          const config::DecoderConfig& options,
                                          const grid::Placement& placement,
                                          const grid::Meeting& meeting) {
  const grid::GridShape& shape = placement.shape;
  if (static_cast<int>(placement.layers.size()) != shape.pipeline) {
    return absl::InternalError("the front's placement has not one range of layers for each stage");
  }
  TERMINUS_ASSIGN_OR_RETURN(
      models::bundle::DecoderModel loaded,
      models::bundle::LoadDecoder(manifest, OptionsOf(options, placement, meeting)));
  const models::sampling::LogitRules rules = loaded.generation.rules;
  const models::decoder::LmRunner::Options runner = {.device = loaded.device,
                                                     .slots = loaded.options.slots(),
                                                     .max_tokens = loaded.options.max_tokens,
                                                     .pipeline_steps = placement.steps()};
  // Each rank is connected with those that have its place in the other stages.
  const int place = placement.rank % shape.tensor;
  const CollectiveLinks::Neighbours neighbours = {.previous = placement.rank - shape.tensor,
                                                  .next = placement.rank + shape.tensor,
                                                  .first = place,
                                                  .last = shape.world() - shape.tensor + place};
  const bool has_links = shape.pipeline > 1;
  return grid::LoadedRank{
      .make_runner = [lm = std::shared_ptr<models::decoder::CausalLm>(std::move(loaded.lm)), rules,
                      runner, neighbours, has_links](const grid::Meeting& met)
          -> absl::StatusOr<std::unique_ptr<models::decoder::StepRunner>> {
        std::unique_ptr<CollectiveLinks> links;
        if (has_links) {
          links = std::make_unique<CollectiveLinks>(met.world, neighbours, kLinkPatience,
                                                    /*max_sends=*/2 * runner.pipeline_steps);
        }
        return std::make_unique<models::decoder::LmRunner>(lm, rules, runner, std::move(links));
      },
      .rules = rules,
      // Its group is the one that it was loaded with.
      .survives = meeting.stage == nullptr};
}

}  // namespace

absl::StatusOr<std::unique_ptr<grid::GridStage>> OpenGrid(
    const models::bundle::BundleManifest& manifest, const config::DecoderConfig& options,
    const models::sampling::LogitRules& rules,
    std::function<void(const absl::Status&)> on_failure) {
  const config::GridOptions& grid = options.grid;
  grid::GridOptions gathering = {.listen = grid.rendezvous, .join_patience = grid.join_timeout};
  TERMINUS_ASSIGN_OR_RETURN(gathering.terms, TermsOf(manifest, grid));
  TERMINUS_ASSIGN_OR_RETURN(const models::decoder::LlamaConfig config,
                            models::decoder::ReadLlamaConfig(manifest.decoder->path));
  TERMINUS_ASSIGN_OR_RETURN(gathering.layers, DivideLayers(config, grid));
  base::LogInfo(absl::StrCat("layers by stage: ", absl::StrJoin(gathering.layers, "/")));
  auto started = std::make_shared<Started>();
  if (grid.rendezvous.empty()) {
    gathering.listen = absl::StrCat("unix:", started->folder.path(), "/front");
    gathering.secret = NewSecret();
    started->processes.emplace(Commands(manifest, options, gathering.listen, gathering.secret));
  } else {
    TERMINUS_ASSIGN_OR_RETURN(gathering.secret, ReadSecret(grid));
  }
  TERMINUS_ASSIGN_OR_RETURN(gathering.meeting, MeetingOf(gathering.listen));
  const auto gather =
      [gathering, ranks = started.get()](
          const std::set<int>& silent,
          const std::function<absl::Status()>& check) -> absl::StatusOr<grid::Ranks> {
    grid::GridOptions now = gathering;
    now.check = check;
    if (ranks->processes.has_value()) {
      ranks->processes->Kill(silent);
      TERMINUS_RETURN_IF_ERROR(ranks->processes->StartMissing());
      now.check = [&]() -> absl::Status {
        TERMINUS_RETURN_IF_ERROR(check());
        return ranks->processes->Check();
      };
    }
    return grid::Gather(now);
  };
  return grid::GridStage::Create({.shape = gathering.terms.shape,
                                  .rules = rules,
                                  .gather = gather,
                                  .load_patience = grid.load_timeout,
                                  .on_failure = std::move(on_failure),
                                  .processes = started});
}

absl::Status RunRank(const std::string& bundle, const config::DecoderConfig& options) {
  const config::GridOptions& grid = options.grid;
  if (grid.rendezvous.empty() || grid.rank >= grid.world()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "decoder.grid.rank: ", grid.rank, " of ", grid.world(),
        " ranks, and decoder.grid.rendezvous is '", grid.rendezvous,
        "': a rank needs a number below pipeline x tensor, and the address of its front"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(bundle, /*identify=*/false));
  if (!manifest.decoder.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(bundle, " has no language model"));
  }
  grid::RankOptions rank = {.front = grid.rendezvous,
                            .rank = grid.rank,
                            .join_patience = grid.join_timeout,
                            .meet_patience = grid.load_timeout,
                            .guard = executor::RunGuarded};
  TERMINUS_ASSIGN_OR_RETURN(rank.secret, ReadSecret(grid));
  if (std::getenv(kSecretVariable) != nullptr) {
    // A rank of a front that is gone would look for it in vain.
    rank.check = [parent = getppid()] {
      return getppid() == parent ? absl::OkStatus()
                                 : absl::UnavailableError("the front that started it is gone");
    };
  }
  TERMINUS_ASSIGN_OR_RETURN(rank.terms, TermsOf(manifest, grid));
  return grid::RunRank(rank, [&](const grid::Placement& placement, const grid::Meeting& meeting) {
    return LoadPart(manifest, options, placement, meeting);
  });
}

}  // namespace terminus::services::decoder::load
