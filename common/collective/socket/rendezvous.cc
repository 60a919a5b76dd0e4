#include "common/collective/socket/rendezvous.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"

namespace terminus::collective::socket {
namespace {

constexpr char kMagic[8] = {'T', 'R', 'M', 'C', 'O', 'L', 'L', '1'};
constexpr absl::Duration kHelloPatience = absl::Seconds(5);
constexpr size_t kMaxVisitors = 2 * kMaxWorld;

enum Channel : uint32_t { kControl = 0, kData = 1 };

// On the wire as they are in memory: both ends are of one build, or refuse each other.
struct Hello {
  char magic[8];
  uint32_t size;
  uint32_t rank;
  uint32_t channel;
  char build[60];
  char job[128];
  // Where the rank listens.
  char address[256];
};
static_assert(sizeof(Hello) == 464);

struct Answer {
  char magic[8];
  // Why not; empty for welcome.
  char refusal[248];
};

using Address = std::array<char, sizeof(Hello::address)>;

template <size_t N>
std::string Text(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

template <size_t N>
absl::Status SetText(const char* name, const std::string& text, char (&field)[N]) {
  if (text.size() >= N) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " has ", text.size(), " bytes, limit ", N - 1));
  }
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), text.size());
  return absl::OkStatus();
}

absl::StatusOr<Hello> MakeHello(const Options& options, const std::string& address) {
  Hello hello{};
  std::memcpy(hello.magic, kMagic, sizeof(kMagic));
  hello.size = static_cast<uint32_t>(options.size);
  hello.rank = static_cast<uint32_t>(options.rank);
  TERMINUS_RETURN_IF_ERROR(SetText("build", options.build, hello.build));
  TERMINUS_RETURN_IF_ERROR(SetText("job", options.job, hello.job));
  TERMINUS_RETURN_IF_ERROR(SetText("address", address, hello.address));
  return hello;
}

// Why this rank does not want the one that says `hello`; empty if it does.
std::string Refusal(const Options& options, const Hello& hello, const std::vector<Link>& links) {
  const auto differs = [](const char* what, const auto& here, const auto& there) {
    return absl::StrCat(what, " is '", there, "', expected '", here, "'");
  };
  if (std::memcmp(hello.magic, kMagic, sizeof(kMagic)) != 0) {
    return "not a rank of Terminus";
  }
  if (Text(hello.build) != options.build) {
    return differs("build", options.build, Text(hello.build));
  }
  if (Text(hello.job) != options.job) {
    return differs("job", options.job, Text(hello.job));
  }
  if (hello.size != static_cast<uint32_t>(options.size)) {
    return differs("world size", options.size, hello.size);
  }
  if (hello.rank <= static_cast<uint32_t>(options.rank) || hello.rank >= hello.size) {
    return absl::StrCat("rank ", hello.rank, " has nothing to ask of rank ", options.rank);
  }
  if (hello.channel > kData) {
    return absl::StrCat("channel ", hello.channel, " is unknown");
  }
  const Link& link = links[hello.rank];
  if ((hello.channel == kControl ? link.control : link.data).valid()) {
    return absl::StrCat("rank ", hello.rank, " is here already");
  }
  return "";
}

// A connection whose Hello is not complete yet.
struct Visitor {
  Fd fd;
  absl::Time deadline;
  Hello hello{};
  size_t received = 0;
};

// Takes in the ranks above one's own.
class Door {
 public:
  Door(const Options& options, Listener& listener, std::vector<Link>& links)
      : options_(options), listener_(listener), links_(links) {}

  // `addresses[rank]` becomes what each said of itself.
  absl::Status WaitForAll(absl::Time deadline, std::vector<Address>& addresses) {
    while (!Missing().empty()) {
      if (absl::Now() >= deadline) {
        return absl::DeadlineExceededError(
            absl::StrCat("rank ", options_.rank, " at ", listener_.address(), " waits for rank ",
                         absl::StrJoin(Missing(), ", "), LastRefusal()));
      }
      const bool full = visitors_.size() == kMaxVisitors;
      std::vector<pollfd> fds = {{.fd = full ? -1 : listener_.fd(), .events = POLLIN}};
      for (const Visitor& visitor : visitors_) {
        fds.push_back({.fd = visitor.fd.get(), .events = POLLIN});
      }
      absl::Time next = deadline;
      for (const Visitor& visitor : visitors_) {
        next = std::min(next, visitor.deadline);
      }
      if (poll(fds.data(), fds.size(), PollMilliseconds(next)) < 0 && errno != EINTR) {
        return SystemError("poll", errno);
      }
      for (auto visitor = visitors_.begin(); visitor != visitors_.end();) {
        visitor = Listen(*visitor, addresses) ? std::next(visitor) : visitors_.erase(visitor);
      }
      LetIn();
    }
    return absl::OkStatus();
  }

 private:
  std::vector<int> Missing() const {
    std::vector<int> missing;
    for (int rank = options_.rank + 1; rank < options_.size; ++rank) {
      if (!links_[rank].control.valid() || !links_[rank].data.valid()) {
        missing.push_back(rank);
      }
    }
    return missing;
  }

  std::string LastRefusal() const {
    return last_refusal_.empty() ? "" : absl::StrCat("; it refused a peer: ", last_refusal_);
  }

  void LetIn() {
    while (visitors_.size() < kMaxVisitors) {
      Fd fd = listener_.Accept();
      if (!fd.valid()) {
        return;
      }
      Visitor visitor;
      visitor.fd = std::move(fd);
      visitor.deadline = absl::Now() + kHelloPatience;
      visitors_.push_back(std::move(visitor));
    }
  }

  // False when the visitor need not be listened to any more.
  bool Listen(Visitor& visitor, std::vector<Address>& addresses) {
    const ssize_t received =
        recv(visitor.fd.get(), reinterpret_cast<char*>(&visitor.hello) + visitor.received,
             sizeof(Hello) - visitor.received, 0);
    if (received < 0) {
      return (errno == EAGAIN || errno == EINTR) && absl::Now() < visitor.deadline;
    }
    visitor.received += static_cast<size_t>(received);
    if (visitor.received < sizeof(Hello)) {
      return received > 0;
    }
    const std::string refusal = Refusal(options_, visitor.hello, links_);
    Answer answer{};
    std::memcpy(answer.magic, kMagic, sizeof(kMagic));
    SetText("refusal", refusal.substr(0, sizeof(answer.refusal) - 1), answer.refusal).IgnoreError();
    // It fits into what the kernel buffers: there is nothing to wait for.
    if (!SendAll(visitor.fd, &answer, sizeof(answer), absl::Now()).ok()) {
      return false;
    }
    if (!refusal.empty()) {
      last_refusal_ = refusal;
      return false;
    }
    Link& link = links_[visitor.hello.rank];
    std::copy(std::begin(visitor.hello.address), std::end(visitor.hello.address),
              addresses[visitor.hello.rank].begin());
    (visitor.hello.channel == kControl ? link.control : link.data) = std::move(visitor.fd);
    return false;
  }

  const Options& options_;
  Listener& listener_;
  std::vector<Link>& links_;
  std::list<Visitor> visitors_;
  std::string last_refusal_;
};

// Says `hello` on a new connection and hears whether it is welcome.
absl::Status Introduce(const Fd& fd, Hello hello, Channel channel, absl::Time deadline) {
  hello.channel = channel;
  TERMINUS_RETURN_IF_ERROR(SendAll(fd, &hello, sizeof(hello), deadline));
  Answer answer;
  TERMINUS_RETURN_IF_ERROR(ReceiveAll(fd, &answer, sizeof(answer), deadline));
  if (std::memcmp(answer.magic, kMagic, sizeof(kMagic)) != 0) {
    return absl::FailedPreconditionError("it is not a rank of Terminus");
  }
  if (const std::string refusal = Text(answer.refusal); !refusal.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("it refused: ", refusal));
  }
  return absl::OkStatus();
}

absl::Status ConnectData(const std::string& address, int peer, const Hello& hello, Link& link,
                         absl::Time deadline) {
  const std::string context = absl::StrCat("rank ", peer, " at ", address);
  auto data = Connect(address, deadline);
  if (data.ok()) {
    link.data = *std::move(data);
    return base::Annotate(Introduce(link.data, hello, kData, deadline), context);
  }
  return base::Annotate(data.status(), context);
}

absl::Status ConnectControl(const std::string& address, int peer, Link& link, absl::Time deadline) {
  auto control = Connect(address, deadline);
  if (!control.ok()) {
    return base::Annotate(control.status(), absl::StrCat("rank ", peer));
  }
  link.control = *std::move(control);
  return absl::OkStatus();
}

absl::Status RunRankZero(const Options& options, absl::Time deadline, std::vector<Link>& links) {
  // Checks the texts, as the other ranks do.
  TERMINUS_RETURN_IF_ERROR(MakeHello(options, options.address).status());
  TERMINUS_ASSIGN_OR_RETURN(Listener listener, Listener::Open(options.address));
  std::vector<Address> addresses(options.size);
  Door door(options, listener, links);
  TERMINUS_RETURN_IF_ERROR(door.WaitForAll(deadline, addresses));
  for (int peer = 1; peer < options.size; ++peer) {
    TERMINUS_RETURN_IF_ERROR(base::Annotate(SendAll(links[peer].control, addresses.data(),
                                                    addresses.size() * sizeof(Address), deadline),
                                            absl::StrCat("rank ", peer)));
  }
  return absl::OkStatus();
}

absl::Status RunOtherRank(const Options& options, absl::Time deadline, std::vector<Link>& links) {
  TERMINUS_RETURN_IF_ERROR(ConnectControl(options.address, 0, links[0], deadline));
  // In the network by which rank 0 was reached, the others are too.
  const std::string host = LocalHost(links[0].control);
  TERMINUS_ASSIGN_OR_RETURN(
      Listener listener,
      Listener::Open(host.empty() ? absl::StrCat(options.address, ".", options.rank)
                                  : absl::StrCat(host, ":0")));
  TERMINUS_ASSIGN_OR_RETURN(const Hello hello, MakeHello(options, listener.address()));
  const std::string context = absl::StrCat("rank 0 at ", options.address);
  TERMINUS_RETURN_IF_ERROR(
      base::Annotate(Introduce(links[0].control, hello, kControl, deadline), context));
  TERMINUS_RETURN_IF_ERROR(ConnectData(options.address, 0, hello, links[0], deadline));
  std::vector<Address> addresses(options.size);
  TERMINUS_RETURN_IF_ERROR(base::Annotate(
      ReceiveAll(links[0].control, addresses.data(), addresses.size() * sizeof(Address), deadline),
      context));
  for (int peer = 1; peer < options.rank; ++peer) {
    const Address& field = addresses[peer];
    const std::string address(field.data(), strnlen(field.data(), field.size()));
    TERMINUS_RETURN_IF_ERROR(ConnectControl(address, peer, links[peer], deadline));
    TERMINUS_RETURN_IF_ERROR(
        base::Annotate(Introduce(links[peer].control, hello, kControl, deadline),
                       absl::StrCat("rank ", peer, " at ", address)));
    TERMINUS_RETURN_IF_ERROR(ConnectData(address, peer, hello, links[peer], deadline));
  }
  Door door(options, listener, links);
  return door.WaitForAll(deadline, addresses);
}

}  // namespace

absl::StatusOr<std::vector<Link>> Rendezvous(const Options& options, absl::Time deadline) {
  std::vector<Link> links(options.size);
  if (options.size > 1) {
    TERMINUS_RETURN_IF_ERROR(options.rank == 0 ? RunRankZero(options, deadline, links)
                                               : RunOtherRank(options, deadline, links));
  }
  return links;
}

}  // namespace terminus::collective::socket
