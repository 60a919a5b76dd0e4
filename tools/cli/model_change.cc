#include "tools/cli/model_change.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "tools/cli/client.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

// Unless told otherwise: a large model takes its time in every service.
constexpr double kLoadTimeoutSeconds = 600;

struct LoadOptions {
  std::string folder;
  std::string name;
};

std::string ModalityName(int modality) {
  switch (modality) {
    case v1::MODALITY_TEXT:
      return "text";
    case v1::MODALITY_IMAGE:
      return "image";
    case v1::MODALITY_VIDEO:
      return "video";
    default:
      return absl::StrCat("modality ", modality);
  }
}

std::vector<std::string> ModalityNames(const v1::ModelInfo& model) {
  std::vector<std::string> names;
  for (const int modality : model.modalities()) {
    names.push_back(ModalityName(modality));
  }
  return names;
}

// A replica that was not reached is worth a look.
absl::Status AllReached(const ReplicaLoads& replicas) {
  const bool all = std::all_of(replicas.begin(), replicas.end(), [](const v1::ReplicaLoad& load) {
    return load.outcome() != v1::LOAD_OUTCOME_NOT_REACHED;
  });
  return all ? absl::OkStatus() : AlreadyReported();
}

absl::Status RunLoad(const Globals& globals, const LoadOptions& options) {
  v1::LoadModelRequest request;
  request.set_path(std::filesystem::absolute(options.folder).lexically_normal().string());
  request.set_name(options.name);
  TERMINUS_ASSIGN_OR_RETURN(const v1::LoadModelResponse loaded, Client(globals).LoadModel(request));
  if (globals.json) {
    PrintJson(LoadedJson(loaded));
  } else {
    std::fputs(FormatLoaded(loaded).c_str(), stdout);
  }
  return AllReached(loaded.replicas());
}

absl::Status RunUnload(const Globals& globals, const std::string& name) {
  v1::UnloadModelRequest request;
  request.set_name(name);
  TERMINUS_ASSIGN_OR_RETURN(const v1::UnloadModelResponse unloaded,
                            Client(globals).UnloadModel(request));
  if (globals.json) {
    PrintJson({{"unloaded", name}, {"replicas", ReplicaLoadsJson(unloaded.replicas())}});
  } else {
    std::fputs(
        absl::StrCat(name, " is not served any more\n", FormatReplicaLoads(unloaded.replicas()))
            .c_str(),
        stdout);
  }
  return AllReached(unloaded.replicas());
}

}  // namespace

const char* LoadOutcomeName(v1::LoadOutcome outcome) {
  switch (outcome) {
    case v1::LOAD_OUTCOME_LOADED:
      return "loaded";
    case v1::LOAD_OUTCOME_NOT_IN_BUNDLE:
      return "not in the bundle";
    case v1::LOAD_OUTCOME_NOT_REACHED:
      return "not reached";
    case v1::LOAD_OUTCOME_UNLOADED:
      return "unloaded";
    default:
      return "unknown";
  }
}

std::string FormatReplicaLoads(const ReplicaLoads& replicas) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::ReplicaLoad& load : replicas) {
    rows.push_back({absl::StrCat("  ", load.service()), LoadOutcomeName(load.outcome()),
                    load.address(), load.detail()});
  }
  return rows.empty() ? "" : FormatTable(rows);
}

std::string FormatLoaded(const v1::LoadModelResponse& loaded) {
  const v1::ModelInfo& model = loaded.model();
  std::vector<std::string> abilities = ModalityNames(model);
  if (model.generates()) {
    abilities.push_back("generation");
  }
  // A language model alone makes no vectors.
  const std::string dimension =
      model.dimension() > 0 ? absl::StrCat("dimension ", model.dimension(), ", ") : "";
  return absl::StrCat(model.name(), " is served now: ", absl::StrJoin(abilities, ", "), "; ",
                      dimension, "space ", model.space_id(), "\n",
                      FormatReplicaLoads(loaded.replicas()));
}

nlohmann::json ReplicaLoadsJson(const ReplicaLoads& replicas) {
  nlohmann::json out = nlohmann::json::array();
  for (const v1::ReplicaLoad& load : replicas) {
    out.push_back({{"service", load.service()},
                   {"address", load.address()},
                   {"outcome", LoadOutcomeName(load.outcome())},
                   {"detail", load.detail()}});
  }
  return out;
}

nlohmann::json LoadedJson(const v1::LoadModelResponse& loaded) {
  const v1::ModelInfo& model = loaded.model();
  return {{"model",
           {{"name", model.name()},
            {"space_id", model.space_id()},
            {"dimension", model.dimension()},
            {"modalities", ModalityNames(model)},
            {"generates", model.generates()}}},
          {"replicas", ReplicaLoadsJson(loaded.replicas())}};
}

void AddModelChangeCommands(CLI::App& app, CLI::App& model, Globals& globals, Command& command) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* load = model.add_subcommand(
      "load", "Serve another model in the running cluster; calls that are inside are answered");
  load->fallthrough();
  load->add_option("folder", options->folder,
                   "A bundle or a model's folder, where the services find it")
      ->required();
  load->add_option("--name", options->name, "Serve it under this name; default: the bundle's own");
  load->callback([&app, &globals, &command, options] {
    if (app.count("--timeout") == 0) {
      globals.timeout_s = kLoadTimeoutSeconds;
    }
    command = [&globals, options] { return RunLoad(globals, *options); };
  });
  CLI::App* unload = model.add_subcommand(
      "unload", "Serve no model any more, and free it; the cluster stays and can load another");
  unload->fallthrough();
  unload->add_option("name", options->name, "The model's name, as ListModels says it")->required();
  unload->callback([&globals, &command, options] {
    command = [&globals, options] { return RunUnload(globals, options->name); };
  });
}

}  // namespace terminus::tools::cli
