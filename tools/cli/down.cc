#include <signal.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/cli/command.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {
namespace {

// The supervisor kills what does not stop well before this.
constexpr absl::Duration kPatience = absl::Seconds(60);

absl::Status RunDown(const Globals& globals) {
  const StateFolder folder(globals.state);
  const std::optional<pid_t> supervisor = folder.Holder();
  if (!supervisor.has_value()) {
    if (globals.json) {
      PrintJson({{"stopped", false}});
    } else {
      std::printf("no cluster runs in %s\n", folder.path().c_str());
    }
    return absl::OkStatus();
  }
  if (kill(*supervisor, SIGTERM) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot stop process ", *supervisor));
  }
  const absl::Time deadline = absl::Now() + kPatience;
  while (folder.Holder() == supervisor) {
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "process ", *supervisor, " is still there after ", absl::FormatDuration(kPatience),
          ": end it with `kill -9 ", *supervisor, "`, the cluster's processes end with it"));
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
  if (globals.json) {
    PrintJson({{"stopped", true}});
  } else {
    std::printf("stopped the cluster in %s\n", folder.path().c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDownCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* down = app.add_subcommand("down", "Stop the local cluster and wait until it has ended");
  down->callback([&globals, &command] { command = [&globals] { return RunDown(globals); }; });
}

}  // namespace terminus::tools::cli
