#include "common/collective/host/host_communicator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/collective/reduce.h"

namespace terminus::collective::host {
namespace {

Buffer Slice(const Buffer& buffer, int64_t first, int64_t count) {
  Buffer slice = buffer;
  slice.data = static_cast<char*>(buffer.data) + first * weights::ElementSize(buffer.dtype);
  slice.count = count;
  return slice;
}

}  // namespace

class HostCommunicator::HostWork : public Work {
 public:
  HostWork(Transport& transport, std::shared_ptr<Transfer> transfer)
      : transport_(transport), transfer_(std::move(transfer)) {}

  ~HostWork() override {
    // Finds out whether it is done; if not, breaks the transport, which lets go of the buffer.
    transport_.Wait(*transfer_, absl::InfinitePast()).IgnoreError();
  }

  absl::Status Wait(absl::Time deadline) override { return transport_.Wait(*transfer_, deadline); }

 private:
  Transport& transport_;
  const std::shared_ptr<Transfer> transfer_;
};

// The messages of one operation. The first error breaks the transport, so none is left under way.
class HostCommunicator::Batch {
 public:
  Batch(Transport& transport, Operation operation) : transport_(transport), operation_(operation) {}

  absl::Status Add(Direction direction, int peer, const Buffer& buffer) {
    auto transfer = transport_.Post(direction, peer, {operation_, buffer});
    if (!transfer.ok()) {
      return transfer.status();
    }
    transfers_.push_back(*std::move(transfer));
    return absl::OkStatus();
  }

  absl::Status Wait(absl::Time deadline) {
    for (const auto& transfer : transfers_) {
      TERMINUS_RETURN_IF_ERROR(transport_.Wait(*transfer, deadline));
    }
    return absl::OkStatus();
  }

 private:
  Transport& transport_;
  const Operation operation_;
  std::vector<std::shared_ptr<Transfer>> transfers_;
};

HostCommunicator::HostCommunicator(std::unique_ptr<Transport> transport, int64_t max_message_bytes)
    : transport_(std::move(transport)), max_message_bytes_(max_message_bytes) {}

absl::StatusOr<std::unique_ptr<Work>> HostCommunicator::PostOne(Direction direction, int peer,
                                                                const Buffer& buffer) {
  const char* name = direction == Direction::kSend ? "Send" : "Recv";
  TERMINUS_RETURN_IF_ERROR(CheckPeer(name, peer, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(CheckBuffer(name, buffer, Memory::kCpu, max_message_bytes_));
  TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<Transfer> transfer,
                            transport_->Post(direction, peer, {Operation::kSend, buffer}));
  return std::make_unique<HostWork>(*transport_, std::move(transfer));
}

absl::StatusOr<std::unique_ptr<Work>> HostCommunicator::Send(const Buffer& buffer, int to) {
  return PostOne(Direction::kSend, to, buffer);
}

absl::StatusOr<std::unique_ptr<Work>> HostCommunicator::Recv(const Buffer& buffer, int from) {
  return PostOne(Direction::kReceive, from, buffer);
}

absl::Status HostCommunicator::SendRecv(const Buffer& send, int to, const Buffer& recv, int from,
                                        absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckPeer("SendRecv", to, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(CheckPeer("SendRecv", from, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(CheckBuffer("SendRecv", send, Memory::kCpu, max_message_bytes_));
  TERMINUS_RETURN_IF_ERROR(CheckBuffer("SendRecv", recv, Memory::kCpu, max_message_bytes_));
  Batch batch(*transport_, Operation::kSend);
  TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kReceive, from, recv));
  TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kSend, to, send));
  return batch.Wait(deadline);
}

absl::Status HostCommunicator::AllReduceSum(const Buffer& buffer, absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckSummable(buffer.dtype));
  TERMINUS_RETURN_IF_ERROR(CheckBuffer("AllReduceSum", buffer, Memory::kCpu, max_message_bytes_));
  if (size() == 1) {
    return transport_->state();
  }
  return buffer.bytes() <= kDirectBytes ? ReduceDirectly(buffer, deadline)
                                        : ReduceInSlices(buffer, deadline);
}

absl::Status HostCommunicator::ReduceDirectly(const Buffer& buffer, absl::Time deadline) {
  const size_t bytes = buffer.bytes();
  scratch_.resize(std::max(scratch_.size(), bytes * size()));
  std::vector<const void*> parts(size());
  Batch batch(*transport_, Operation::kAllReduce);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) {
      parts[peer] = buffer.data;
      continue;
    }
    Buffer part = buffer;
    part.data = scratch_.data() + bytes * peer;
    parts[peer] = part.data;
    TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kReceive, peer, part));
    TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kSend, peer, buffer));
  }
  TERMINUS_RETURN_IF_ERROR(batch.Wait(deadline));
  SumInOrder(buffer.dtype, parts, buffer.count, buffer.data);
  return absl::OkStatus();
}

absl::Status HostCommunicator::ReduceInSlices(const Buffer& buffer, absl::Time deadline) {
  const int64_t slice = (buffer.count + size() - 1) / size();
  const auto slice_of = [&](int owner) {
    const int64_t first = std::min(buffer.count, slice * owner);
    return Slice(buffer, first, std::min(buffer.count, first + slice) - first);
  };
  const Buffer mine = slice_of(rank());
  scratch_.resize(std::max(scratch_.size(), mine.bytes() * size()));
  std::vector<const void*> parts(size());
  Batch scatter(*transport_, Operation::kAllReduce);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) {
      parts[peer] = mine.data;
      continue;
    }
    Buffer part = mine;
    part.data = scratch_.data() + mine.bytes() * peer;
    parts[peer] = part.data;
    TERMINUS_RETURN_IF_ERROR(scatter.Add(Direction::kReceive, peer, part));
    TERMINUS_RETURN_IF_ERROR(scatter.Add(Direction::kSend, peer, slice_of(peer)));
  }
  TERMINUS_RETURN_IF_ERROR(scatter.Wait(deadline));
  SumInOrder(mine.dtype, parts, mine.count, mine.data);
  Batch gather(*transport_, Operation::kAllReduce);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != rank()) {
      TERMINUS_RETURN_IF_ERROR(gather.Add(Direction::kReceive, peer, slice_of(peer)));
      TERMINUS_RETURN_IF_ERROR(gather.Add(Direction::kSend, peer, mine));
    }
  }
  return gather.Wait(deadline);
}

absl::Status HostCommunicator::Broadcast(const Buffer& buffer, int root, absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckRoot(root, size()));
  TERMINUS_RETURN_IF_ERROR(CheckBuffer("Broadcast", buffer, Memory::kCpu, max_message_bytes_));
  Batch batch(*transport_, Operation::kBroadcast);
  if (rank() != root) {
    TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kReceive, root, buffer));
    return batch.Wait(deadline);
  }
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != root) {
      TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kSend, peer, buffer));
    }
  }
  TERMINUS_RETURN_IF_ERROR(batch.Wait(deadline));
  return size() == 1 ? transport_->state() : absl::OkStatus();
}

absl::Status HostCommunicator::AllGather(const Buffer& part, const Buffer& whole,
                                         absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckBuffer("AllGather", part, Memory::kCpu, max_message_bytes_));
  TERMINUS_RETURN_IF_ERROR(CheckWhole(part, whole, size()));
  TERMINUS_RETURN_IF_ERROR(transport_->state());
  Batch batch(*transport_, Operation::kAllGather);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != rank()) {
      TERMINUS_RETURN_IF_ERROR(
          batch.Add(Direction::kReceive, peer, Slice(whole, part.count * peer, part.count)));
      TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kSend, peer, part));
    }
  }
  const Buffer own = Slice(whole, part.count * rank(), part.count);
  if (own.data != part.data && part.count > 0) {
    std::memcpy(own.data, part.data, part.bytes());
  }
  return batch.Wait(deadline);
}

absl::Status HostCommunicator::Barrier(absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(transport_->state());
  Batch batch(*transport_, Operation::kBarrier);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != rank()) {
      TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kReceive, peer, Buffer()));
      TERMINUS_RETURN_IF_ERROR(batch.Add(Direction::kSend, peer, Buffer()));
    }
  }
  return batch.Wait(deadline);
}

absl::Status HostCommunicator::Finish(void* /*stream*/, absl::Time /*deadline*/) {
  return transport_->state();
}

void HostCommunicator::Abort(absl::string_view why) {
  transport_->Break(absl::CancelledError(absl::StrCat("rank ", rank(), " was aborted: ", why)));
}

}  // namespace terminus::collective::host
