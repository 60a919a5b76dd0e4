#include "services/decoder/grid/channel.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::grid {
namespace {

constexpr size_t kMaxQueued = 1000;

struct Header {
  uint32_t type;
  uint32_t bytes;
};

}  // namespace

absl::Status SendMessage(const collective::socket::Fd& fd, const Message& message,
                         absl::Time deadline) {
  if (message.payload.size() > kMaxPayloadBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a message of ", message.payload.size(),
                                                   " bytes, at most ", kMaxPayloadBytes));
  }
  const Header header = {.type = static_cast<uint32_t>(message.type),
                         .bytes = static_cast<uint32_t>(message.payload.size())};
  TERMINUS_RETURN_IF_ERROR(collective::socket::SendAll(fd, &header, sizeof(header), deadline));
  return collective::socket::SendAll(fd, message.payload.data(), message.payload.size(), deadline);
}

absl::StatusOr<Message> ReceiveMessage(const collective::socket::Fd& fd, absl::Time deadline) {
  Header header;
  TERMINUS_RETURN_IF_ERROR(collective::socket::ReceiveAll(fd, &header, sizeof(header), deadline));
  if (header.type < static_cast<uint32_t>(MessageType::kChallenge) ||
      header.type > static_cast<uint32_t>(MessageType::kBeat) || header.bytes > kMaxPayloadBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("no message: type ", header.type, ", ", header.bytes, " bytes"));
  }
  Message message = {.type = static_cast<MessageType>(header.type), .payload = {}};
  message.payload.resize(header.bytes);
  TERMINUS_RETURN_IF_ERROR(
      collective::socket::ReceiveAll(fd, message.payload.data(), header.bytes, deadline));
  return message;
}

Channel::Channel(collective::socket::Fd fd, OnMessage on_message, OnLost on_lost, Options options)
    : fd_(std::move(fd)),
      on_message_(std::move(on_message)),
      on_lost_(std::move(on_lost)),
      options_(options),
      sender_([this] { SendAll(); }),
      receiver_([this] { ReceiveAll(); }) {}

Channel::~Channel() {
  {
    base::MutexLock lock(mutex_);
    closing_ = true;
  }
  changed_.NotifyAll();
  sender_.join();
  // Wakes the receiver.
  shutdown(fd_.get(), SHUT_RDWR);
  receiver_.join();
}

void Channel::Send(Message message) {
  bool full = false;
  {
    base::MutexLock lock(mutex_);
    if (lost_) {
      return;
    }
    queue_.push_back(std::move(message));
    full = queue_.size() > kMaxQueued;
  }
  changed_.NotifyAll();
  if (full) {
    Lose(absl::ResourceExhaustedError(
        absl::StrCat("more than ", kMaxQueued, " messages wait to be sent")));
  }
}

void Channel::SendAll() {
  while (true) {
    Message message;
    {
      base::MutexLock lock(mutex_);
      const absl::Time next_beat = absl::Now() + options_.beat;
      while (queue_.empty() && !closing_ && !lost_ && changed_.WaitUntil(mutex_, next_beat)) {
      }
      if (lost_ || (queue_.empty() && closing_)) {
        return;
      }
      if (!queue_.empty()) {
        message = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    const absl::Status status = SendMessage(fd_, message, absl::Now() + options_.silence);
    if (!status.ok()) {
      Lose(status);
      return;
    }
  }
}

void Channel::ReceiveAll() {
  while (true) {
    absl::StatusOr<Message> message = ReceiveMessage(fd_, absl::Now() + options_.silence);
    if (!message.ok()) {
      Lose(message.status());
      return;
    }
    if (message->type != MessageType::kBeat) {
      on_message_(*std::move(message));
    }
  }
}

void Channel::Lose(const absl::Status& why) {
  {
    base::MutexLock lock(mutex_);
    if (lost_ || closing_) {
      return;
    }
    lost_ = true;
    queue_.clear();
  }
  changed_.NotifyAll();
  shutdown(fd_.get(), SHUT_RDWR);
  on_lost_(absl::IsDeadlineExceeded(why) ? why : absl::UnavailableError(why.message()));
}

}  // namespace terminus::services::decoder::grid
