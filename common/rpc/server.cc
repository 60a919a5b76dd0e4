#include "common/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "common/rpc/reflection.h"

namespace terminus::rpc {
namespace {

constexpr char kUnix[] = "unix:";

// True when some process accepts connections there.
bool IsSocketAlive(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  // Not blocking: a listener with a full backlog is alive, and must not hold us up.
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool alive =
      fd >= 0 &&
      (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN);
  if (fd >= 0) {
    close(fd);
  }
  return alive;
}

absl::Status PrepareSocketFile(const std::string& path) {
  constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kMaxPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path ", path, " has ", path.size(), " characters, limit ", kMaxPath));
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::OkStatus();
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists and is not a socket"));
  }
  if (IsSocketAlive(path)) {
    return absl::AlreadyExistsError(absl::StrCat("another process listens on unix:", path));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  if (options.listen.empty()) {
    return absl::InvalidArgumentError("no address to listen on");
  }
  // Debian's Abseil looks for deadlocks at every lock that gRPC takes; each call pays for it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::EnableDefaultHealthCheckService(true);

  auto server = std::unique_ptr<Server>(new Server(options));
  grpc::ServerBuilder builder;
  builder.SetOption(ReflectionOption());
  builder.SetOption(server->unknown_methods_.Option());
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    const std::string& address = options.listen[i];
    if (absl::StartsWith(address, kUnix)) {
      const std::string path = address.substr(sizeof(kUnix) - 1);
      TERMINUS_RETURN_IF_ERROR(PrepareSocketFile(path));
      server->socket_files_.push_back(path);
    }
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &ports[i]);
  }
  for (grpc::Service* service : services) {
    builder.RegisterService(service);
  }
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (std::all_of(options.listen.begin(), options.listen.end(), IsOnThisMachine)) {
    // As in MakeChannel.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  }
  // Without this two processes could share a TCP port, each getting half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Socket files are born for this user only.
  const mode_t old_mask = umask(0177);
  server->server_ = builder.BuildAndStart();
  umask(old_mask);
  if (server->server_ == nullptr) {
    return absl::AlreadyExistsError(absl::StrCat("cannot listen on ",
                                                 absl::StrJoin(options.listen, " or "),
                                                 ": is a port taken, or a folder missing?"));
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    std::string address = options.listen[i];
    if (!absl::StartsWith(address, kUnix) && ports[i] > 0) {
      address = absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[i]);
    }
    server->addresses_.push_back(std::move(address));
  }
  server->SetServing(false);
  server->poller_limit_ = std::make_unique<PollerLimit>(*server->server_);
  return server;
}

Server::~Server() {
  Shutdown();
  for (const std::string& path : socket_files_) {
    unlink(path.c_str());
  }
}

void Server::SetServing(bool serving) {
  base::MutexLock lock(mutex_);
  if (shut_down_) {
    return;
  }
  // Of the whole process, whose name is empty: no service has a status of its own.
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void Server::Shutdown() {
  if (server_ == nullptr) {
    return;
  }
  SetServing(false);
  {
    base::MutexLock lock(mutex_);
    shut_down_ = true;
  }
  poller_limit_.reset();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + options_.drain_timeout));
  server_->Wait();
}

bool TakesChanges(const std::string& setting, const std::vector<std::string>& listen) {
  return setting == "on" ||
         (setting == "auto" && std::all_of(listen.begin(), listen.end(), IsOnThisMachine));
}

void BlockShutdownSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A client that closes its connection while we write must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
}

int WaitForShutdownSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

}  // namespace terminus::rpc
