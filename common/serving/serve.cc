#include "common/serving/serve.h"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/executor/guard.h"

namespace terminus::serving {
namespace {

// Whether what kept the model from being loaded may pass: memory or a device that another process
// holds. A model that is missing, broken or not supported stays so.
bool CanLoadLater(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
      return false;
    default:
      return true;
  }
}

}  // namespace

int ServeUntilSignal(const ServeOptions& options, const std::vector<grpc::Service*>& services,
                     const std::function<absl::Status()>& load) {
  auto server = rpc::Server::Start(options.server, services);
  if (!server.ok()) {
    base::LogError(server.status().message());
    return base::kExitFailed;
  }
  base::LogInfo(absl::StrCat("listening on ", absl::StrJoin((*server)->addresses(), ", "),
                             ", metrics on ", options.metrics_address, ", loading ",
                             options.bundle));
  int exit_code = base::kExitOk;
  std::thread loader([&] {
    const absl::Status status = executor::RunGuarded(load);
    if (!status.ok()) {
      base::LogError(absl::StrCat("cannot serve ", options.bundle, ": ", status.message()));
      exit_code = CanLoadLater(status) ? base::kExitFailed : base::kExitRefused;
      kill(getpid(), SIGTERM);  // To the process: the main thread is the one that waits for it.
      return;
    }
    (*server)->SetServing(true);
  });
  const int signal = rpc::WaitForShutdownSignal();
  loader.join();
  if (exit_code == base::kExitOk) {
    base::LogInfo(absl::StrCat("signal ", signal, ": finishing what is in flight"));
  }
  (*server)->Shutdown();
  return exit_code;
}

}  // namespace terminus::serving
