#include "common/serving/serve.h"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"
#include "common/executor/guard.h"

namespace terminus::serving {

int ServeUntilSignal(const ServeOptions& options, const std::vector<grpc::Service*>& services,
                     const std::function<absl::Status()>& load) {
  auto server = rpc::Server::Start(options.server, services);
  if (!server.ok()) {
    base::LogError(server.status().message());
    return 1;
  }
  base::LogInfo(absl::StrCat("listening on ", absl::StrJoin((*server)->addresses(), ", "),
                             ", metrics on ", options.metrics_address, ", loading ",
                             options.bundle));
  bool failed = false;
  std::thread loader([&] {
    const absl::Status status = executor::RunGuarded(load);
    if (!status.ok()) {
      base::LogError(absl::StrCat("cannot serve ", options.bundle, ": ", status.message()));
      failed = true;
      kill(getpid(), SIGTERM);  // To the process: the main thread is the one that waits for it.
      return;
    }
    (*server)->SetServing(true);
  });
  const int signal = rpc::WaitForShutdownSignal();
  loader.join();
  if (!failed) {
    base::LogInfo(absl::StrCat("signal ", signal, ": finishing what is in flight"));
  }
  (*server)->Shutdown();
  return failed ? 1 : 0;
}

}  // namespace terminus::serving
