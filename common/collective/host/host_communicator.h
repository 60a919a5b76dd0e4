#pragma once

#include <memory>
#include <vector>

#include "common/collective/communicator.h"
#include "common/collective/host/transport.h"

namespace terminus::collective::host {

// The operations over any transport, in host memory. Every rank talks to every other directly:
//   AllReduceSum  up to kDirectBytes each rank sends its buffer to all and adds by itself; above,
//                 each rank adds one slice for all and hands it out (reduce-scatter, then
//                 all-gather), which moves 2 (n - 1) / n of the buffer per rank
//   Broadcast     the root sends to all
//   AllGather     each rank sends its part to all
class HostCommunicator : public Communicator {
 public:
  HostCommunicator(std::unique_ptr<Transport> transport, int64_t max_message_bytes);

  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }
  absl::StatusOr<std::unique_ptr<Work>> Send(const Buffer& buffer, int to) override;
  absl::StatusOr<std::unique_ptr<Work>> Recv(const Buffer& buffer, int from) override;
  absl::Status SendRecv(const Buffer& send, int to, const Buffer& recv, int from,
                        absl::Time deadline) override;
  absl::Status AllReduceSum(const Buffer& buffer, absl::Time deadline) override;
  absl::Status Broadcast(const Buffer& buffer, int root, absl::Time deadline) override;
  absl::Status AllGather(const Buffer& part, const Buffer& whole, absl::Time deadline) override;
  absl::Status Barrier(absl::Time deadline) override;
  absl::Status Finish(void* stream, absl::Time deadline) override;
  void Abort(absl::string_view why) override;

 private:
  static constexpr size_t kDirectBytes = 64 << 10;

  class HostWork;
  class Batch;

  absl::StatusOr<std::unique_ptr<Work>> PostOne(Direction direction, int peer,
                                                const Buffer& buffer);
  // Every rank's buffer, here at scratch_[rank * bytes], one's own left out.
  absl::Status ReduceDirectly(const Buffer& buffer, absl::Time deadline);
  absl::Status ReduceInSlices(const Buffer& buffer, absl::Time deadline);

  const std::unique_ptr<Transport> transport_;
  const int64_t max_message_bytes_;
  // Grows to what the largest AllReduceSum needs: at most `size` times kDirectBytes, or its buffer
  // plus a slice.
  std::vector<char> scratch_;
};

}  // namespace terminus::collective::host
