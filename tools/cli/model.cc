#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tools/cli/command.h"
#include "tools/cli/model_change.h"

namespace terminus::tools::cli {
namespace {

struct FolderOptions {
  std::string folder;
  std::string device = "auto";
  bool compute = false;
  std::string against;
  std::string python;
};

// This process becomes terminus-verify, which lies beside it and ends with this command's codes.
absl::Status RunBeside(const Globals& globals, const FolderOptions& options,
                       const std::vector<std::string>& flags) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "terminus-verify").string();
  std::vector<std::string> words = {program, "--device", options.device};
  words.insert(words.end(), flags.begin(), flags.end());
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
  auto options = std::make_shared<FolderOptions>();
  CLI::App* inspect = model->add_subcommand(
      "inspect", "Say what a folder holds and whether it can be served, without loading it");
  CLI::App* verify =
      model->add_subcommand("verify", "Load the models of a folder and run their readiness checks");
  for (CLI::App* subcommand : {inspect, verify}) {
    subcommand->fallthrough();
    subcommand->add_option("folder", options->folder, "A bundle or a model's folder")->required();
    subcommand->add_option("--device", options->device, "cpu, cuda:N or auto");
  }
  inspect->add_flag("--compute", options->compute,
                    "Then load the models and run their readiness checks");
  AddModelChangeCommands(app, *model, globals, command);
  inspect->callback([&globals, &command, options] {
    command = [&globals, options] {
      std::vector<std::string> flags = {"--inspect"};
      if (options->compute) flags.push_back("--compute");
      return RunBeside(globals, *options, flags);
    };
  });
  verify
      ->add_option("--against", options->against,
                   "Compare with \"transformers\", which needs a Python that has it")
      ->check(CLI::IsMember({"transformers"}));
  verify->add_option("--python", options->python,
                     "That Python; default: TERMINUS_PYTHON, else python3");
  verify->callback([&globals, &command, options] {
    command = [&globals, options] {
      std::vector<std::string> flags;
      if (!options->against.empty()) flags = {"--against", options->against};
      if (!options->python.empty()) flags.insert(flags.end(), {"--python", options->python});
      return RunBeside(globals, *options, flags);
    };
  });
}

}  // namespace terminus::tools::cli
