#include "common/collective/factory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/collective/host/host_communicator.h"
#include "common/collective/loopback/loopback.h"
#include "common/collective/nccl/nccl_communicator.h"
#include "common/collective/socket/rendezvous.h"
#include "common/collective/socket/socket_transport.h"

namespace terminus::collective {
namespace {

absl::Status CheckWorld(int rank, int size, int64_t max_message_bytes) {
  if (size < 1 || size > kMaxWorld) {
    return absl::InvalidArgumentError(
        absl::StrCat("a world of ", size, " ranks, expected 1 to ", kMaxWorld));
  }
  if (rank < 0 || rank >= size) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", rank, " in a world of ", size));
  }
  if (max_message_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_message_bytes is ", max_message_bytes, ", expected at least 1"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<Communicator>>> CreateLoopback(
    int size, int64_t max_message_bytes) {
  TERMINUS_RETURN_IF_ERROR(CheckWorld(0, size, max_message_bytes));
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (auto& transport : loopback::CreateTransports(size)) {
    ranks.push_back(
        std::make_unique<host::HostCommunicator>(std::move(transport), max_message_bytes));
  }
  return ranks;
}

absl::StatusOr<std::unique_ptr<Communicator>> CreateSocket(const Options& options,
                                                           absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckWorld(options.rank, options.size, options.max_message_bytes));
  TERMINUS_ASSIGN_OR_RETURN(std::vector<socket::Link> links, socket::Rendezvous(options, deadline));
  return std::make_unique<host::HostCommunicator>(
      std::make_unique<socket::SocketTransport>(options.rank, std::move(links)),
      options.max_message_bytes);
}

absl::StatusOr<std::unique_ptr<Communicator>> CreateNccl(const Options& options,
                                                         absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckWorld(options.rank, options.size, options.max_message_bytes));
  TERMINUS_RETURN_IF_ERROR(nccl::CheckAvailable(options.device));
  TERMINUS_ASSIGN_OR_RETURN(std::unique_ptr<Communicator> control, CreateSocket(options, deadline));
  return nccl::Create(options, std::move(control), deadline);
}

}  // namespace terminus::collective
