#pragma once

#include <grpcpp/server.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/rpc/poller_limit.h"
#include "common/rpc/unknown_methods.h"

namespace terminus::rpc {

struct ServerOptions {
  // "unix:/path" (a stale socket file is removed; the new one is for this user only) or
  // "host:port", where port 0 takes a free one.
  std::vector<std::string> listen;
  int64_t max_message_bytes = 64 << 20;
  // How long calls in flight may go on once Shutdown is called.
  absl::Duration drain_timeout = absl::Seconds(10);
  // Calls at once on one connection; more wait in the client.
  int max_concurrent_streams = 1024;
};

// A gRPC server with grpc.health.v1 and reflection. Health says NOT_SERVING until SetServing. A
// call of a method that it does not have is answered with google.rpc details too.
class Server {
 public:
  // Listens on every address or fails, naming the address. The services must outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();

  // Thread-safe. Without effect once Shutdown has begun.
  void SetServing(bool serving);

  // Says NOT_SERVING, refuses new calls, lets those in flight end within the drain timeout, then
  // cancels them. Returns when all are done. Idempotent.
  void Shutdown();

  // As given, with the port that was taken where it was 0.
  const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  explicit Server(const ServerOptions& options) : options_(options) {}

  const ServerOptions options_;
  std::vector<std::string> addresses_;
  std::vector<std::string> socket_files_;
  UnknownMethods unknown_methods_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<PollerLimit> poller_limit_;
  base::Mutex mutex_;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

// Whether calls that change what a process serves are answered, by its setting: "on", "off", or
// "auto", which is on where it can be reached from this machine alone: it listens on Unix sockets
// and loopback addresses only.
bool TakesChanges(const std::string& setting, const std::vector<std::string>& listen);

// Blocks SIGINT and SIGTERM in this thread and all it starts later: call it first in main.
void BlockShutdownSignals();

// Returns the first SIGINT or SIGTERM. Needs BlockShutdownSignals.
int WaitForShutdownSignal();

}  // namespace terminus::rpc
