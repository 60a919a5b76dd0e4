#include "common/collective/loopback/loopback.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "common/collective/communicator.h"

namespace terminus::collective::loopback {
namespace {

using host::Direction;
using host::Message;
using host::Transfer;

// Where the ranks meet; lives as long as the last of them.
class World {
 public:
  explicit World(int size) : size_(size), lanes_(size * size), gone_(size, false) {}

  int size() const { return size_; }

  absl::StatusOr<std::shared_ptr<Transfer>> Post(int rank, Direction direction, int peer,
                                                 const Message& message) {
    base::MutexLock lock(mutex_);
    TERMINUS_RETURN_IF_ERROR(StateOf(rank));
    if (gone_[peer]) {
      BreakLocked(rank, host::LeftStatus(peer));
      return StateOf(rank);
    }
    const bool sends = direction == Direction::kSend;
    Lane& lane = sends ? lanes_[rank * size_ + peer] : lanes_[peer * size_ + rank];
    std::deque<std::shared_ptr<Transfer>>& own = sends ? lane.sends : lane.receives;
    if (own.size() >= kMaxOutstanding) {
      BreakLocked(rank, host::TooManyStatus(rank, peer));
      return StateOf(rank);
    }
    auto transfer = std::make_shared<Transfer>();
    transfer->direction = direction;
    transfer->peer = peer;
    transfer->message = message;
    transfer->number = sends ? lane.sent++ : lane.received++;
    own.push_back(transfer);
    if (!lane.sends.empty() && !lane.receives.empty()) {
      Match(lane, sends ? rank : peer, sends ? peer : rank, rank);
    }
    return transfer;
  }

  absl::Status Wait(int rank, Transfer& transfer, absl::Time deadline) {
    base::MutexLock lock(mutex_);
    // The system's clock knows nothing before its epoch.
    deadline = std::max(deadline, absl::UnixEpoch());
    while (!transfer.done) {
      if (!changed_.WaitUntil(mutex_, deadline) && !transfer.done) {
        BreakLocked(rank, host::LateStatus(rank, transfer));
      }
    }
    return transfer.status;
  }

  void Break(int rank, const absl::Status& why) {
    base::MutexLock lock(mutex_);
    BreakLocked(rank, why);
  }

  absl::Status state(int rank) const {
    base::MutexLock lock(mutex_);
    return StateOf(rank);
  }

  void Leave(int rank) {
    base::MutexLock lock(mutex_);
    gone_[rank] = true;
    // Whoever still wants something of it breaks, and with it the rest.
    for (int peer = 0; peer < size_; ++peer) {
      for (const Lane* lane : {&lanes_[rank * size_ + peer], &lanes_[peer * size_ + rank]}) {
        if (!lane->sends.empty() || !lane->receives.empty()) {
          BreakLocked(peer, host::LeftStatus(rank));
        }
      }
    }
  }

 private:
  // From one rank to another. At most one of the queues holds anything.
  struct Lane {
    std::deque<std::shared_ptr<Transfer>> sends;
    std::deque<std::shared_ptr<Transfer>> receives;
    uint64_t sent = 0;
    uint64_t received = 0;
  };

  // The copy is made under the lock: the two ranks wait for it anyhow.
  void Match(Lane& lane, int sender, int receiver, int caller)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Transfer& send = *lane.sends.front();
    Transfer& receive = *lane.receives.front();
    if (send.message.operation != receive.message.operation ||
        send.message.buffer.dtype != receive.message.buffer.dtype ||
        send.message.buffer.count != receive.message.buffer.count) {
      BreakLocked(caller,
                  host::Mismatch(sender, receiver, send.number, send.message, receive.message));
      return;
    }
    if (send.message.buffer.count > 0) {
      std::memcpy(receive.message.buffer.data, send.message.buffer.data,
                  send.message.buffer.bytes());
    }
    send.done = receive.done = true;
    lane.sends.pop_front();
    lane.receives.pop_front();
    changed_.NotifyAll();
  }

  absl::Status StateOf(int rank) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (why_.ok() || rank == culprit_) {
      return why_;
    }
    return host::PeerStatus(culprit_, why_);
  }

  void BreakLocked(int rank, const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!why_.ok()) {
      return;
    }
    culprit_ = rank;
    why_ = why;
    for (int sender = 0; sender < size_; ++sender) {
      for (int receiver = 0; receiver < size_; ++receiver) {
        Lane& lane = lanes_[sender * size_ + receiver];
        End(lane.sends, StateOf(sender));
        End(lane.receives, StateOf(receiver));
      }
    }
    changed_.NotifyAll();
  }

  static void End(std::deque<std::shared_ptr<Transfer>>& transfers, const absl::Status& status) {
    for (const auto& transfer : transfers) {
      transfer->done = true;
      transfer->status = status;
    }
    transfers.clear();
  }

  const int size_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  // [sender * size + receiver]
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> gone_ ABSL_GUARDED_BY(mutex_);
  // The first to break, and with what.
  int culprit_ ABSL_GUARDED_BY(mutex_) = -1;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
};

class LoopbackTransport : public host::Transport {
 public:
  LoopbackTransport(std::shared_ptr<World> world, int rank)
      : world_(std::move(world)), rank_(rank) {}
  ~LoopbackTransport() override { world_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return world_->size(); }
  absl::StatusOr<std::shared_ptr<Transfer>> Post(Direction direction, int peer,
                                                 const Message& message) override {
    return world_->Post(rank_, direction, peer, message);
  }
  absl::Status Wait(Transfer& transfer, absl::Time deadline) override {
    return world_->Wait(rank_, transfer, deadline);
  }
  void Break(const absl::Status& why) override { world_->Break(rank_, why); }
  absl::Status state() const override { return world_->state(rank_); }

 private:
  const std::shared_ptr<World> world_;
  const int rank_;
};

}  // namespace

std::vector<std::unique_ptr<host::Transport>> CreateTransports(int size) {
  const auto world = std::make_shared<World>(size);
  std::vector<std::unique_ptr<host::Transport>> transports;
  for (int rank = 0; rank < size; ++rank) {
    transports.push_back(std::make_unique<LoopbackTransport>(world, rank));
  }
  return transports;
}

}  // namespace terminus::collective::loopback
