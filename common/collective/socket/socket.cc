#include "common/collective/socket/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace terminus::collective::socket {
namespace {

constexpr char kUnix[] = "unix:";
// Between two attempts to reach someone who does not listen yet.
constexpr absl::Duration kRetry = absl::Milliseconds(20);

// What socket(2), bind(2) and connect(2) want to know.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  std::string file;
};

absl::StatusOr<SystemAddress> ResolveUnix(const std::string& path) {
  SystemAddress address;
  auto& unix_address = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.empty() || path.size() >= sizeof(unix_address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("unix:", path, ": the path has ", path.size(),
                                                   " bytes, expected 1 to ",
                                                   sizeof(unix_address.sun_path) - 1));
  }
  unix_address.sun_family = AF_UNIX;
  std::memcpy(unix_address.sun_path, path.data(), path.size());
  address.length = sizeof(sockaddr_un);
  address.file = path;
  return address;
}

absl::StatusOr<SystemAddress> Resolve(const std::string& text) {
  if (absl::StartsWith(text, kUnix)) {
    return ResolveUnix(std::string(absl::StripPrefix(text, kUnix)));
  }
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is neither unix:/path nor host:port"));
  }
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(text, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  SystemAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  return address;
}

absl::StatusOr<Fd> Open(const SystemAddress& address) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return SystemError("socket", errno);
  }
  return fd;
}

// A message is sent at once, and a host that vanished without a word is noticed in the end.
void Tune(const Fd& fd) {
  const int on = 1;
  const int idle_seconds = 10;
  const int interval_seconds = 5;
  const int probes = 3;
  // Without effect, and no harm, on a Unix socket.
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
  setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof(interval_seconds));
  setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

// Returns when the socket is ready for `events`.
absl::Status WaitFor(int fd, short events, absl::Time deadline) {
  pollfd poll_fd = {.fd = fd, .events = events};
  while (true) {
    const int ready = poll(&poll_fd, 1, PollMilliseconds(deadline));
    if (ready > 0) {
      return absl::OkStatus();
    }
    if (ready < 0 && errno != EINTR) {
      return SystemError("poll", errno);
    }
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError("the other side did not answer in time");
    }
  }
}

std::string HostOf(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof(text));
    return text;
  }
  if (storage.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text,
              sizeof(text));
    return absl::StrCat("[", text, "]");
  }
  return "";
}

int PortOf(const sockaddr_storage& storage) {
  return ntohs(storage.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in&>(storage).sin_port
                   : reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
}

sockaddr_storage LocalAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return storage;
}

// A file that nobody listens at any more is in the way of bind(2).
void RemoveStale(const SystemAddress& address) {
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) !=
          0 &&
      errno == ECONNREFUSED) {
    unlink(address.file.c_str());
  }
}

// One attempt; UNAVAILABLE where another may succeed.
absl::StatusOr<Fd> TryConnect(const SystemAddress& address, absl::Time deadline) {
  TERMINUS_ASSIGN_OR_RETURN(Fd fd, Open(address));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    if (errno != EINPROGRESS) {
      return SystemError("connect", errno);
    }
    TERMINUS_RETURN_IF_ERROR(WaitFor(fd.get(), POLLOUT, deadline));
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
      return SystemError("connect", error);
    }
  }
  Tune(fd);
  return fd;
}

}  // namespace

void Fd::Reset() {
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

absl::Status SystemError(const std::string& operation, int error) {
  return absl::UnavailableError(absl::StrCat(operation, ": ", std::strerror(error)));
}

int PollMilliseconds(absl::Time deadline) {
  const absl::Duration left =
      std::clamp(deadline - absl::Now(), absl::ZeroDuration(), absl::Hours(1));
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))));
}

absl::StatusOr<Listener> Listener::Open(const std::string& address) {
  TERMINUS_ASSIGN_OR_RETURN(const SystemAddress system_address, Resolve(address));
  Listener listener;
  TERMINUS_ASSIGN_OR_RETURN(listener.fd_, socket::Open(system_address));
  if (!system_address.file.empty()) {
    RemoveStale(system_address);
  } else {
    const int on = 1;
    setsockopt(listener.fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  if (bind(listener.fd(), reinterpret_cast<const sockaddr*>(&system_address.storage),
           system_address.length) != 0) {
    return SystemError(absl::StrCat("cannot listen at ", address), errno);
  }
  listener.file_ = system_address.file;
  if (listen(listener.fd(), SOMAXCONN) != 0) {
    return SystemError(absl::StrCat("cannot listen at ", address), errno);
  }
  listener.address_ = address;
  if (listener.file_.empty()) {
    const sockaddr_storage local = LocalAddress(listener.fd());
    listener.address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", PortOf(local));
  }
  return listener;
}

Listener::~Listener() {
  if (fd_.valid() && !file_.empty()) {
    unlink(file_.c_str());
  }
}

Fd Listener::Accept() {
  Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.valid()) {
    Tune(fd);
  }
  return fd;
}

absl::StatusOr<Fd> Connect(const std::string& address, absl::Time deadline) {
  while (true) {
    // Again each time: a name may not be known yet either.
    absl::StatusOr<Fd> fd(absl::UnknownError(""));
    auto system_address = Resolve(address);
    if (system_address.ok()) {
      fd = TryConnect(*system_address, deadline);
    } else {
      fd = system_address.status();
    }
    if (fd.ok() || fd.status().code() == absl::StatusCode::kInvalidArgument) {
      return fd;
    }
    if (absl::Now() + kRetry >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("nobody to be reached at ", address, ": ", fd.status().message()));
    }
    absl::SleepFor(kRetry);
  }
}

absl::Status SendAll(const Fd& fd, const void* data, size_t bytes, absl::Time deadline) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t sent = send(fd.get(), next, bytes, MSG_NOSIGNAL);
    if (sent >= 0) {
      next += sent;
      bytes -= static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      TERMINUS_RETURN_IF_ERROR(WaitFor(fd.get(), POLLOUT, deadline));
    } else if (errno != EINTR) {
      return SystemError("send", errno);
    }
  }
  return absl::OkStatus();
}

absl::Status ReceiveAll(const Fd& fd, void* data, size_t bytes, absl::Time deadline) {
  char* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t received = recv(fd.get(), next, bytes, 0);
    if (received > 0) {
      next += received;
      bytes -= static_cast<size_t>(received);
    } else if (received == 0) {
      return absl::UnavailableError("the other side has closed the connection");
    } else if (errno == EAGAIN) {
      TERMINUS_RETURN_IF_ERROR(WaitFor(fd.get(), POLLIN, deadline));
    } else if (errno != EINTR) {
      return SystemError("recv", errno);
    }
  }
  return absl::OkStatus();
}

std::string LocalHost(const Fd& fd) { return HostOf(LocalAddress(fd.get())); }

}  // namespace terminus::collective::socket
