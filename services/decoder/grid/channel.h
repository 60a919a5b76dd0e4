#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/collective/socket/socket.h"

namespace terminus::services::decoder::grid {

// The messages between the front of a grid and its ranks. The numbers are part of the protocol.
enum class MessageType : uint8_t {
  // The handshake: handshake.h.
  kChallenge = 1,
  kJoin = 2,
  kWelcome = 3,
  kRefused = 4,
  // From a rank: its model is loaded, and what it can do; or it cannot go on, and why.
  kReady = 5,
  kFailed = 6,
  // From the front: a plan (docs/step_plan.md), masks, and Stage::Flush.
  kPlan = 7,
  kMasks = 8,
  kFlush = 9,
  // From the front: end yourself.
  kClose = 10,
  // From the last stage: the result of a step.
  kResult = 11,
  // From both, while there is nothing else to say.
  kBeat = 12,
};

struct Message {
  MessageType type = MessageType::kBeat;
  std::string payload;
};

// A longer message ends the connection. Soft tokens of several images fit.
inline constexpr uint32_t kMaxPayloadBytes = 256u << 20;

absl::Status SendMessage(const collective::socket::Fd& fd, const Message& message,
                         absl::Time deadline);
absl::StatusOr<Message> ReceiveMessage(const collective::socket::Fd& fd, absl::Time deadline);

// A connection between the front and a rank, after the handshake. A thread sends, another one
// receives. Each side sends a beat every second; one that hears nothing for five seconds gives the
// other up. Thread-safe.
class Channel {
 public:
  struct Options {
    absl::Duration beat = absl::Seconds(1);
    absl::Duration silence = absl::Seconds(5);
  };

  // Both are called on the channel's threads and must not block. `on_lost` is called once, unless
  // the channel is destroyed before, and no message comes after it: DEADLINE_EXCEEDED when the
  // other side says nothing, or takes nothing; UNAVAILABLE when it has closed the connection.
  using OnMessage = std::function<void(Message)>;
  using OnLost = std::function<void(const absl::Status&)>;

  Channel(collective::socket::Fd fd, OnMessage on_message, OnLost on_lost, Options options);
  // Sends what was given to Send first, for at most `silence`.
  ~Channel();

  // Returns at once. Nothing is sent once the channel is lost. A rank that reads so slowly that
  // more than a thousand messages wait is lost.
  void Send(Message message);

 private:
  void SendAll();
  void ReceiveAll();
  void Lose(const absl::Status& why);

  const collective::socket::Fd fd_;
  const OnMessage on_message_;
  const OnLost on_lost_;
  const Options options_;

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread sender_;
  std::thread receiver_;
};

}  // namespace terminus::services::decoder::grid
