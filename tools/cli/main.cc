#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "common/base/version.h"
#include "tools/cli/command.h"
#include "tools/cli/state_folder.h"
#include "tools/cli/unknown_word.h"

namespace terminus::tools::cli {
namespace {

int Main(int argc, char** argv) {
  CLI::App app(
      "Serve text, images and video in one embedding space; search, generate, score and recognise.",
      "terminus");
  app.set_version_flag("--version", std::string("terminus ") + kVersion);
  app.require_subcommand(1);
  // So that the options below are also taken after the subcommand's name.
  app.fallthrough();
  app.option_defaults()->always_capture_default();

  Globals globals;
  globals.state = StateFolder::DefaultPath();
  app.add_option("--address", globals.address, "The cluster: HOST:PORT or unix:/PATH")
      ->envname("TERMINUS_ADDRESS");
  app.add_option("--timeout", globals.timeout_s, "Seconds to wait for an answer")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", globals.json, "Print one line of JSON");
  app.add_option("--state", globals.state, "Folder of the local cluster: sockets, logs, lock");

  Command command;
  AddUpCommand(app, globals, command);
  AddDownCommand(app, globals, command);
  AddStatusCommand(app, globals, command);
  AddEmbedCommand(app, globals, command);
  AddSearchCommand(app, globals, command);
  AddRecallCommand(app, globals, command);
  AddGenerateCommand(app, globals, command);
  AddScoreCommand(app, globals, command);
  AddActCommand(app, globals, command);
  AddBenchCommand(app, globals, command);
  AddModelCommand(app, globals, command);
  AddPlanCommand(app, globals, command);
  for (CLI::App* subcommand : app.get_subcommands({})) {
    subcommand->fallthrough();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool help = error.get_exit_code() == 0;
    if (const std::string unknown = help ? "" : DescribeUnknownWord(app); !unknown.empty()) {
      std::fprintf(stderr, "terminus: %s\nRun with --help for more information.\n",
                   unknown.c_str());
      return kExitUsage;
    }
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  globals.state = std::filesystem::absolute(globals.state).lexically_normal().string();
  const absl::Status status = command();
  PrintError(status);
  return ExitCode(status);
}

}  // namespace
}  // namespace terminus::tools::cli

int main(int argc, char** argv) { return terminus::tools::cli::Main(argc, argv); }
