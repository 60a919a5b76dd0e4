#include <cstdio>

#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/state_folder.h"
#include "tools/cli/status_report.h"

namespace terminus::tools::cli {
namespace {

absl::Status RunStatus(Globals globals, bool address_given) {
  std::optional<ClusterRecord> local;
  if (absl::StatusOr<ClusterRecord> record = ReadRecord(StateFolder(globals.state)); record.ok()) {
    if (!address_given) {
      globals.address = record->address;
    }
    // Another cluster than the one asked about is left out.
    if (globals.address == record->address) {
      local = *std::move(record);
    }
  }
  absl::StatusOr<v1::GetStatusResponse> router = Client(globals).GetStatus();
  if (!router.ok() && !local.has_value()) {
    return router.status();
  }
  const StatusReport report = MakeStatusReport(
      globals.address, router.ok() ? std::optional(*router) : std::nullopt, local, ReadPssMib);
  if (globals.json) {
    PrintJson(StatusToJson(report));
  } else {
    std::fputs(FormatStatus(report).c_str(), stdout);
  }
  return report.ready ? absl::OkStatus() : AlreadyReported();
}

}  // namespace

void AddStatusCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* status = app.add_subcommand(
      "status",
      "Show the cluster's replicas: state, process, memory, metrics address. Exits with 0 when the "
      "cluster is ready, else with 1");
  status->callback([&app, &globals, &command] {
    command = [&app, &globals] { return RunStatus(globals, app.count("--address") > 0); };
  });
}

}  // namespace terminus::tools::cli
