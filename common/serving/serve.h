#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/rpc/server.h"

namespace terminus::serving {

struct ServeOptions {
  rpc::ServerOptions server;
  // Of the process's metrics, and the folder of what is loaded; for the log.
  std::string metrics_address;
  std::string bundle;
};

// The life of a process that serves a model: listens, loads, says that it serves, and drains after
// SIGINT or SIGTERM. Returns the exit code; a load that fails ends the process. Needs
// rpc::BlockShutdownSignals before.
//
// `load` runs guarded on a thread of its own, after the server listens, so that whoever waits for
// the process can see that it lives. When it returns OK the services must be able to serve.
int ServeUntilSignal(const ServeOptions& options, const std::vector<grpc::Service*>& services,
                     const std::function<absl::Status()>& load);

}  // namespace terminus::serving
