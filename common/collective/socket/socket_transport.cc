#include "common/collective/socket/socket_transport.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/collective/communicator.h"

namespace terminus::collective::socket {
namespace {

using host::Direction;
using host::Message;
using host::Transfer;

constexpr char kMagic[4] = {'T', 'R', 'M', 'M'};
enum Kind : uint32_t { kGoodbye = 1, kBroken = 2 };

// What one call moves at most, and the calls in a row for one peer: nobody waits long for the lock.
constexpr size_t kMostBytes = 1 << 20;
constexpr int kMostCalls = 4;

constexpr uint8_t kLastDType = static_cast<uint8_t>(weights::DType::kFloat64);
constexpr uint8_t kLastOperation = static_cast<uint8_t>(host::Operation::kBarrier);

}  // namespace

SocketTransport::SocketTransport(int rank, std::vector<Link> links)
    : rank_(rank), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), peers_(links.size()) {
  for (size_t peer = 0; peer < links.size(); ++peer) {
    peers_[peer].link = std::move(links[peer]);
  }
  if (size() > 1) {
    thread_ = std::thread([this] { Run(); });
  }
}

SocketTransport::~SocketTransport() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (why_.ok()) {
      Tell(kGoodbye, absl::OkStatus());
    }
  }
  Wake();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void SocketTransport::Wake() {
  const uint64_t one = 1;
  // It cannot fail but for a counter that is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

absl::StatusOr<std::shared_ptr<Transfer>> SocketTransport::Post(Direction direction, int peer_rank,
                                                                const Message& message) {
  base::MutexLock lock(mutex_);
  TERMINUS_RETURN_IF_ERROR(why_);
  Peer& peer = peers_[peer_rank];
  const bool sends = direction == Direction::kSend;
  if (sends && peer.left) {
    BreakLocked(host::LeftStatus(peer_rank), /*tell=*/true);
    return why_;
  }
  auto& queue = sends ? peer.sends : peer.receives;
  if (queue.size() >= kMaxOutstanding) {
    BreakLocked(host::TooManyStatus(rank_, peer_rank), /*tell=*/true);
    return why_;
  }
  auto transfer = std::make_shared<Transfer>();
  transfer->direction = direction;
  transfer->peer = peer_rank;
  transfer->message = message;
  transfer->number = sends ? peer.sends_posted++ : peer.receives_posted++;
  queue.push_back(transfer);
  if (queue.size() == 1) {
    sends ? MoveSends(peer_rank) : MoveReceives(peer_rank);
    if (!transfer->done) {
      Wake();
    }
  }
  return transfer;
}

absl::Status SocketTransport::Wait(Transfer& transfer, absl::Time deadline) {
  // The system's clock knows nothing before its epoch.
  deadline = std::max(deadline, absl::UnixEpoch());
  base::MutexLock lock(mutex_);
  while (!transfer.done) {
    if (!changed_.WaitUntil(mutex_, deadline) && !transfer.done) {
      BreakLocked(host::LateStatus(rank_, transfer), /*tell=*/true);
    }
  }
  return transfer.status;
}

void SocketTransport::Break(const absl::Status& why) {
  base::MutexLock lock(mutex_);
  BreakLocked(why, /*tell=*/true);
}

absl::Status SocketTransport::state() const {
  base::MutexLock lock(mutex_);
  return why_;
}

void SocketTransport::Run() {
  std::vector<pollfd> fds;
  while (true) {
    {
      base::MutexLock lock(mutex_);
      if (stopping_) {
        return;
      }
      fds = Interests();
    }
    // Whoever changes what is of interest wakes it; errors but EINTR would be our own bugs, and
    // show as a deadline that passes.
    poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) {
      uint64_t count;
      [[maybe_unused]] const ssize_t bytes = read(wake_.get(), &count, sizeof(count));
    }
    base::MutexLock lock(mutex_);
    for (int peer = 0; peer < size(); ++peer) {
      const pollfd& control = fds[1 + 2 * peer];
      const pollfd& data = fds[2 + 2 * peer];
      // Control first: what it says of a loss explains what data only shows.
      if (control.revents != 0) {
        ReadControl(peer);
      }
      if (data.revents != 0) {
        MoveReceives(peer);
        MoveSends(peer);
      }
    }
  }
}

std::vector<pollfd> SocketTransport::Interests() const {
  std::vector<pollfd> fds = {{.fd = wake_.get(), .events = POLLIN}};
  for (const Peer& peer : peers_) {
    short events = 0;
    if (!peer.receives.empty()) {
      events |= POLLIN;
    }
    if (!peer.sends.empty()) {
      events |= POLLOUT;
    }
    // A negative descriptor is passed over, also when its other side hangs up.
    const bool listens = why_.ok() && !peer.left;
    fds.push_back({.fd = listens ? peer.link.control.get() : -1, .events = POLLIN});
    fds.push_back({.fd = why_.ok() && events != 0 ? peer.link.data.get() : -1, .events = events});
  }
  return fds;
}

void SocketTransport::Finish(std::deque<std::shared_ptr<Transfer>>& queue) {
  queue.front()->done = true;
  queue.pop_front();
  changed_.NotifyAll();
}

void SocketTransport::MoveSends(int peer_rank) {
  Peer& peer = peers_[peer_rank];
  for (int call = 0; call < kMostCalls && why_.ok() && !peer.sends.empty(); ++call) {
    const Transfer& transfer = *peer.sends.front();
    const Buffer& buffer = transfer.message.buffer;
    if (peer.sent == 0) {
      peer.send_header = {.operation = static_cast<uint8_t>(transfer.message.operation),
                          .dtype = static_cast<uint8_t>(buffer.dtype),
                          .count = buffer.count,
                          .number = transfer.number};
      std::memcpy(peer.send_header.magic, kMagic, sizeof(kMagic));
    }
    const size_t total = sizeof(Header) + buffer.bytes();
    const size_t header_left = peer.sent < sizeof(Header) ? sizeof(Header) - peer.sent : 0;
    const size_t body_sent = peer.sent - (sizeof(Header) - header_left);
    iovec parts[2] = {
        {.iov_base = reinterpret_cast<char*>(&peer.send_header) + sizeof(Header) - header_left,
         .iov_len = header_left},
        {.iov_base = static_cast<char*>(buffer.data) + body_sent,
         .iov_len = std::min(buffer.bytes() - body_sent, kMostBytes)}};
    const msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    const ssize_t sent = sendmsg(peer.link.data.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (const int error = errno; error != EAGAIN && error != EINTR) {
        // Which tells why it is gone, if it could still say so.
        ReadControl(peer_rank);
        BreakLocked(SystemError(absl::StrCat("rank ", peer_rank, " is gone: send"), error),
                    /*tell=*/true);
      }
      return;
    }
    peer.sent += static_cast<size_t>(sent);
    if (peer.sent == total) {
      peer.sent = 0;
      Finish(peer.sends);
    }
  }
}

void SocketTransport::MoveReceives(int peer_rank) {
  Peer& peer = peers_[peer_rank];
  for (int call = 0; call < kMostCalls && why_.ok() && !peer.receives.empty();) {
    const Buffer& buffer = peer.receives.front()->message.buffer;
    const size_t total = sizeof(Header) + buffer.bytes();
    const bool in_header = peer.received < sizeof(Header);
    char* to = in_header ? reinterpret_cast<char*>(&peer.receive_header) + peer.received
                         : static_cast<char*>(buffer.data) + (peer.received - sizeof(Header));
    const size_t wanted =
        in_header ? sizeof(Header) - peer.received : std::min(total - peer.received, kMostBytes);
    const ssize_t received = recv(peer.link.data.get(), to, wanted, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (received <= 0) {
      const int error = errno;
      ReadControl(peer_rank);
      BreakLocked(received == 0
                      ? host::LeftStatus(peer_rank)
                      : SystemError(absl::StrCat("rank ", peer_rank, " is gone: recv"), error),
                  /*tell=*/true);
      return;
    }
    peer.received += static_cast<size_t>(received);
    if (in_header && peer.received == sizeof(Header) && !Agrees(peer_rank)) {
      return;
    }
    // A header counts with what follows it.
    call += in_header ? 0 : 1;
    if (peer.received == total) {
      peer.received = 0;
      Finish(peer.receives);
    }
  }
}

bool SocketTransport::Agrees(int peer_rank) {
  const Peer& peer = peers_[peer_rank];
  const Header& header = peer.receive_header;
  const Transfer& awaited = *peer.receives.front();
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.dtype > kLastDType ||
      header.operation == 0 || header.operation > kLastOperation ||
      header.number != awaited.number) {
    BreakLocked(absl::InvalidArgumentError(
                    absl::StrCat("what rank ", peer_rank, " sent is not message ", awaited.number)),
                /*tell=*/true);
    return false;
  }
  Message sent;
  sent.operation = static_cast<host::Operation>(header.operation);
  sent.buffer.dtype = static_cast<weights::DType>(header.dtype);
  sent.buffer.count = header.count;
  if (sent.operation != awaited.message.operation ||
      sent.buffer.dtype != awaited.message.buffer.dtype ||
      sent.buffer.count != awaited.message.buffer.count) {
    BreakLocked(host::Mismatch(peer_rank, rank_, awaited.number, sent, awaited.message),
                /*tell=*/true);
    return false;
  }
  return true;
}

void SocketTransport::ReadControl(int peer_rank) {
  Peer& peer = peers_[peer_rank];
  while (why_.ok() && !peer.left) {
    const ssize_t received =
        recv(peer.link.control.get(), reinterpret_cast<char*>(&peer.notice) + peer.notice_received,
             sizeof(Notice) - peer.notice_received, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (received <= 0) {
      BreakLocked(absl::UnavailableError(absl::StrCat("rank ", peer_rank, " died")),
                  /*tell=*/true);
      return;
    }
    peer.notice_received += static_cast<size_t>(received);
    if (peer.notice_received == sizeof(Notice)) {
      peer.notice_received = 0;
      HandleNotice(peer_rank);
    }
  }
}

void SocketTransport::HandleNotice(int peer_rank) {
  Peer& peer = peers_[peer_rank];
  const Notice& notice = peer.notice;
  const std::string text(notice.text, strnlen(notice.text, sizeof(notice.text)));
  if (std::memcmp(notice.magic, kMagic, sizeof(kMagic)) == 0 && notice.kind == kGoodbye) {
    peer.left = true;
    if (!peer.sends.empty()) {
      BreakLocked(host::LeftStatus(peer_rank), /*tell=*/true);
    }
    return;
  }
  const bool disagrees = notice.code == static_cast<int32_t>(absl::StatusCode::kInvalidArgument);
  BreakLocked(
      absl::Status(disagrees ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnavailable,
                   text),
      /*tell=*/false);
}

void SocketTransport::Tell(uint32_t kind, const absl::Status& status) {
  Notice notice{};
  std::memcpy(notice.magic, kMagic, sizeof(kMagic));
  notice.kind = kind;
  notice.code = static_cast<int32_t>(status.code());
  const absl::string_view text = status.message().substr(0, sizeof(notice.text) - 1);
  std::memcpy(notice.text, text.data(), text.size());
  for (const Peer& peer : peers_) {
    if (peer.link.control.valid()) {
      // It fits into what the kernel buffers; a peer that is gone needs no word.
      [[maybe_unused]] const ssize_t sent =
          send(peer.link.control.get(), &notice, sizeof(notice), MSG_NOSIGNAL);
    }
  }
}

void SocketTransport::BreakLocked(const absl::Status& why, bool tell) {
  if (!why_.ok()) {
    return;
  }
  why_ = why;
  for (Peer& peer : peers_) {
    for (auto* queue : {&peer.sends, &peer.receives}) {
      for (const auto& transfer : *queue) {
        transfer->done = true;
        transfer->status = why;
      }
      queue->clear();
    }
  }
  if (tell) {
    Tell(kBroken, host::PeerStatus(rank_, why));
  }
  changed_.NotifyAll();
}

}  // namespace terminus::collective::socket
