#include "services/router/discovery/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace terminus::services::router::discovery {
namespace {

constexpr char kScheme[] = "dns:///";

std::string Format(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v4.sin_port));
  }
  if (address.sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return absl::StrCat("ipv6:[", text, "]:", ntohs(v6.sin6_port));
  }
  return "";
}

}  // namespace

bool IsDnsTarget(absl::string_view target) { return absl::StartsWith(target, kScheme); }

absl::StatusOr<std::vector<std::string>> ResolveDnsTarget(const std::string& target) {
  const std::string host_port(absl::StripPrefix(target, kScheme));
  const size_t colon = host_port.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == host_port.size()) {
    return absl::InvalidArgumentError(absl::StrCat(target, " is not dns:///name:port"));
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host_port.substr(0, colon).c_str(),
                                host_port.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) {
    const std::string message = absl::StrCat(target, ": ", gai_strerror(error));
    return error == EAI_NONAME ? absl::NotFoundError(message) : absl::UnavailableError(message);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::set<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (std::string address = Format(*entry->ai_addr); !address.empty()) {
      addresses.insert(std::move(address));
    }
  }
  return std::vector<std::string>(addresses.begin(), addresses.end());
}

}  // namespace terminus::services::router::discovery
