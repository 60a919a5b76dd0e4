#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace terminus::tools::cli {

inline constexpr char kDefaultAddress[] = "127.0.0.1:8500";

// Exit codes of the command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;

// What all subcommands share.
struct Globals {
  // Of the router, as gRPC names it.
  std::string address = kDefaultAddress;
  // Patience with one call, and with a stream that stands still.
  double timeout_s = 60;
  bool json = false;
  // Folder of the local cluster; see StateFolder.
  std::string state;

  absl::Duration timeout() const { return absl::Seconds(timeout_s); }
};

// What main runs after parsing; set by the subcommand that was named.
using Command = std::function<absl::Status()>;

// Each adds one subcommand; `globals` and `command` must outlive the parsing.
void AddUpCommand(CLI::App& app, Globals& globals, Command& command);
void AddDownCommand(CLI::App& app, Globals& globals, Command& command);
void AddStatusCommand(CLI::App& app, Globals& globals, Command& command);
void AddEmbedCommand(CLI::App& app, Globals& globals, Command& command);
void AddSearchCommand(CLI::App& app, Globals& globals, Command& command);
void AddRecallCommand(CLI::App& app, Globals& globals, Command& command);
void AddGenerateCommand(CLI::App& app, Globals& globals, Command& command);
void AddScoreCommand(CLI::App& app, Globals& globals, Command& command);
void AddActCommand(CLI::App& app, Globals& globals, Command& command);
void AddBenchCommand(CLI::App& app, Globals& globals, Command& command);
void AddModelCommand(CLI::App& app, Globals& globals, Command& command);
void AddPlanCommand(CLI::App& app, Globals& globals, Command& command);

// An error in how the command was called: it ends with kExitUsage instead of kExitError.
absl::Status UsageError(const std::string& message);
// An error that has been told already: the command ends with kExitError and prints nothing more.
absl::Status AlreadyReported();
int ExitCode(const absl::Status& status);
// Prints "terminus: message" to stderr, unless there is nothing (more) to tell.
void PrintError(const absl::Status& status);

// One line on stdout. Bytes that are not UTF-8, as file names may hold, are replaced.
void PrintJson(const nlohmann::json& json);

}  // namespace terminus::tools::cli
