#include "tools/cli/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace terminus::tools::cli {
namespace {

absl::Status Malformed(const std::string& address) {
  return absl::InvalidArgumentError(
      absl::StrCat("listen address '", address, "', expected HOST:PORT or unix:/PATH"));
}

struct SplitAddress {
  std::string host;
  std::string port;
};

absl::StatusOr<SplitAddress> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Malformed(address);
  }
  SplitAddress split{.host = address.substr(0, colon), .port = address.substr(colon + 1)};
  if (split.host.size() > 2 && split.host.front() == '[' && split.host.back() == ']') {
    split.host = split.host.substr(1, split.host.size() - 2);
  }
  return split;
}

}  // namespace

absl::StatusOr<std::string> ResolveListenAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) {
    return address;
  }
  absl::StatusOr<SplitAddress> split = Split(address);
  if (!split.ok()) {
    return split.status();
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(split->host.c_str(), split->port.c_str(), &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen address '", address, "': ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, "cannot open a socket");
  }
  // Without SO_REUSEPORT, which gRPC sets: with it a second router would share the port unseen.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage bound = {};
  socklen_t length = sizeof(bound);
  if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    const int bind_error = errno;
    close(fd);
    if (bind_error == EADDRINUSE) {
      return absl::AlreadyExistsError(
          absl::StrCat("another process already listens on ", address,
                       ": stop it (`terminus down` if it is a cluster of yours; `ss -ltnp` shows "
                       "it), or choose another port with --listen ",
                       address.substr(0, address.rfind(':')), ":PORT"));
    }
    return absl::ErrnoToStatus(bind_error, absl::StrCat("cannot listen on ", address));
  }
  close(fd);
  const in_port_t port = found->ai_family == AF_INET6
                             ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                             : reinterpret_cast<sockaddr_in*>(&bound)->sin_port;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", ntohs(port));
}

}  // namespace terminus::tools::cli
