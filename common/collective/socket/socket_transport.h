#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/base/mutex.h"
#include "common/collective/host/transport.h"
#include "common/collective/socket/rendezvous.h"

namespace terminus::collective::socket {

// Messages over the connections that Rendezvous made. A message is a header, then its elements;
// the header is read only once a Receive is posted and must agree with it, so nothing that comes
// from outside decides how much memory is used. Whoever posts moves what can be moved at once;
// one thread does the rest and watches the control connections.
class SocketTransport : public host::Transport {
 public:
  // `links` is what Rendezvous returned for this rank.
  SocketTransport(int rank, std::vector<Link> links);
  ~SocketTransport() override;

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(peers_.size()); }
  absl::StatusOr<std::shared_ptr<host::Transfer>> Post(host::Direction direction, int peer,
                                                       const host::Message& message) override;
  absl::Status Wait(host::Transfer& transfer, absl::Time deadline) override;
  void Break(const absl::Status& why) override;
  absl::Status state() const override;

 private:
  // On the wire as it is in memory, as Hello is.
  struct Header {
    char magic[4];
    uint8_t operation;
    uint8_t dtype;
    uint8_t unused[2];
    int64_t count;
    uint64_t number;
  };

  // On the control connection: the rank leaves, or broke with this code and text.
  struct Notice {
    char magic[4];
    uint32_t kind;
    int32_t code;
    char text[500];
  };

  struct Peer {
    Link link;
    std::deque<std::shared_ptr<host::Transfer>> sends;
    std::deque<std::shared_ptr<host::Transfer>> receives;
    // Of the first in each queue: the header, and how many bytes are moved, header included.
    Header send_header{};
    Header receive_header{};
    size_t sent = 0;
    size_t received = 0;
    uint64_t sends_posted = 0;
    uint64_t receives_posted = 0;
    Notice notice{};
    size_t notice_received = 0;
    bool left = false;
  };

  void Run();
  void Wake();
  std::vector<pollfd> Interests() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Move what can be moved without waiting.
  void MoveSends(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MoveReceives(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadControl(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleNotice(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the header that arrived is the one awaited; breaks if not.
  bool Agrees(int peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(std::deque<std::shared_ptr<host::Transfer>>& queue)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(uint32_t kind, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `tell`: the cause is here, and the others do not know it yet.
  void BreakLocked(const absl::Status& why, bool tell) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int rank_;
  const Fd wake_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<Peer> peers_;  // Its size never changes; the rest of it is guarded by mutex_.
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace terminus::collective::socket
