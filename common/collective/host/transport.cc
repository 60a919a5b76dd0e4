#include "common/collective/host/transport.h"

#include "absl/strings/str_cat.h"
#include "common/collective/communicator.h"

namespace terminus::collective::host {

const char* Name(Operation operation) {
  switch (operation) {
    case Operation::kSend:
      return "Send";
    case Operation::kAllReduce:
      return "AllReduceSum";
    case Operation::kBroadcast:
      return "Broadcast";
    case Operation::kAllGather:
      return "AllGather";
    case Operation::kBarrier:
      return "Barrier";
  }
  return "unknown operation";
}

absl::Status PeerStatus(int rank, const absl::Status& why) {
  const absl::StatusCode code = why.code() == absl::StatusCode::kInvalidArgument
                                    ? absl::StatusCode::kInvalidArgument
                                    : absl::StatusCode::kUnavailable;
  return absl::Status(code, absl::StrCat("rank ", rank, " gave up: ", why.message()));
}

absl::Status Mismatch(int sender, int receiver, uint64_t number, const Message& sent,
                      const Message& awaited) {
  return absl::InvalidArgumentError(
      absl::StrCat("message ", number, " from rank ", sender, " to rank ", receiver, ": sent is ",
                   Describe(sent.buffer), " of ", Name(sent.operation), ", awaited ",
                   Describe(awaited.buffer), " of ", Name(awaited.operation)));
}

absl::Status LeftStatus(int rank) {
  return absl::UnavailableError(absl::StrCat("rank ", rank, " has left"));
}

absl::Status TooManyStatus(int rank, int peer) {
  return absl::ResourceExhaustedError(absl::StrCat("rank ", rank, " has ", kMaxOutstanding,
                                                   " messages under way with rank ", peer,
                                                   ", which is the limit"));
}

absl::Status LateStatus(int rank, const Transfer& transfer) {
  return absl::DeadlineExceededError(absl::StrCat(
      "rank ", rank, " waited too long to ",
      transfer.direction == Direction::kSend ? "send message " : "receive message ",
      transfer.number, transfer.direction == Direction::kSend ? " to rank " : " from rank ",
      transfer.peer, ", ", Describe(transfer.message.buffer), " of ",
      Name(transfer.message.operation)));
}

}  // namespace terminus::collective::host
