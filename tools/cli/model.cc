#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "tools/cli/command.h"
#include "tools/cli/model_change.h"
#include "tools/cli/model_facts.h"

namespace terminus::tools::cli {
namespace {

absl::Status RunInspect(const Globals& globals, const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<ModelFacts> models, InspectFolder(folder));
  std::fputs((globals.json ? FactsJson(models) : FormatFacts(models)).c_str(), stdout);
  const bool served = std::all_of(models.begin(), models.end(), [](const ModelFacts& model) {
    return model.unsupported.empty();
  });
  return served ? absl::OkStatus() : AlreadyReported();
}

struct VerifyOptions {
  std::string folder;
  std::string device = "auto";
};

// This process becomes terminus-verify, which lies beside it and ends with this command's codes.
absl::Status RunVerify(const Globals& globals, const VerifyOptions& options) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "terminus-verify").string();
  std::vector<std::string> words = {program, "--device", options.device};
  if (globals.json) words.push_back("--json");
  words.insert(words.end(), {"--", options.folder});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return absl::InternalError(absl::StrCat("cannot run ", program, ": ", std::strerror(errno)));
}

}  // namespace

void AddModelCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* model =
      app.add_subcommand("model", "Look into a model's folder, check what it computes, serve it");
  model->require_subcommand(1);
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* inspect = model->add_subcommand(
      "inspect", "Say what a folder holds and whether it can be served, without loading it");
  CLI::App* verify =
      model->add_subcommand("verify", "Load the models of a folder and run their readiness checks");
  for (CLI::App* subcommand : {inspect, verify}) {
    subcommand->fallthrough();
    subcommand->add_option("folder", options->folder, "A bundle or a model's folder")->required();
  }
  verify->add_option("--device", options->device, "cpu, cuda:N or auto");
  AddModelChangeCommands(app, *model, globals, command);
  inspect->callback([&globals, &command, options] {
    command = [&globals, options] { return RunInspect(globals, options->folder); };
  });
  verify->callback([&globals, &command, options] {
    command = [&globals, options] { return RunVerify(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
