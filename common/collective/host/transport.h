#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/collective/buffer.h"

namespace terminus::collective::host {

enum class Operation : uint8_t { kSend = 1, kAllReduce, kBroadcast, kAllGather, kBarrier };
const char* Name(Operation operation);

// One buffer from one rank to another, on behalf of an operation.
struct Message {
  Operation operation = Operation::kSend;
  Buffer buffer;
};

enum class Direction { kSend, kReceive };

// A message on its way; owned by whoever waits for it and by the transport.
struct Transfer {
  Direction direction = Direction::kSend;
  int peer = 0;
  Message message;
  // Counts the messages of this direction between the two ranks from 0.
  uint64_t number = 0;
  // Guarded by the transport's mutex. Once done, the transport never touches the buffer again.
  bool done = false;
  absl::Status status;
};

// Carries messages in order between each two ranks of a world, in host memory. What is sent and
// what is awaited must agree in operation, type and count; otherwise both sides break with
// INVALID_ARGUMENT. Errors are final, as communicator.h says. Thread-safe.
class Transport {
 public:
  // Leaves the world.
  virtual ~Transport() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // The message has been checked, and `peer` is another rank.
  virtual absl::StatusOr<std::shared_ptr<Transfer>> Post(Direction direction, int peer,
                                                         const Message& message) = 0;

  // Returns when the transfer is done. Past the deadline the transport breaks.
  virtual absl::Status Wait(Transfer& transfer, absl::Time deadline) = 0;

  // Breaks this rank with `why`, and the others with PeerStatus. Without effect once it is broken.
  virtual void Break(const absl::Status& why) = 0;

  // OK, or what it broke with.
  virtual absl::Status state() const = 0;
};

// What the others say when `rank` broke with `why`.
absl::Status PeerStatus(int rank, const absl::Status& why);

// What both sides say of messages that should be the same.
absl::Status Mismatch(int sender, int receiver, uint64_t number, const Message& sent,
                      const Message& awaited);

absl::Status LeftStatus(int rank);

absl::Status TooManyStatus(int rank, int peer);

absl::Status LateStatus(int rank, const Transfer& transfer);

}  // namespace terminus::collective::host
