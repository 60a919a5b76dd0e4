#include "tools/cli/command.h"

#include <cstdio>

#include "common/base/errors.h"

namespace terminus::tools::cli {
namespace {

constexpr char kUsage[] = "USAGE";
constexpr char kReported[] = "REPORTED";

}  // namespace

absl::Status UsageError(const std::string& message) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, kUsage, message);
}

absl::Status AlreadyReported() {
  return base::MakeError(absl::StatusCode::kUnknown, kReported, "see above");
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) {
    return kExitOk;
  }
  return base::Reason(status) == kUsage ? kExitUsage : kExitError;
}

void PrintError(const absl::Status& status) {
  if (status.ok() || base::Reason(status) == kReported) {
    return;
  }
  std::fprintf(stderr, "terminus: %s\n", std::string(status.message()).c_str());
}

void PrintJson(const nlohmann::json& json) {
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace terminus::tools::cli
