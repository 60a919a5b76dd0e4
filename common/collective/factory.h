#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/version.h"
#include "common/collective/communicator.h"

namespace terminus::collective {

struct Options {
  int rank = 0;
  // At most kMaxWorld.
  int size = 1;
  // Where rank 0 listens and the others find it: host:port, or unix:/path, where ranks 1 and up add
  // ".RANK" for their own. Not used in a world of one.
  std::string address;
  // Names the group: a process that says another job is refused, so that ranks of two groups never
  // mix. It is no secret and no encryption: keep the ports inside a trusted network.
  std::string job = "terminus";
  // Refused if it differs, since the ranks' code must agree.
  std::string build = kVersion;
  // Largest buffer of one operation.
  int64_t max_message_bytes = int64_t{1} << 30;
  // nccl only: the GPU of this rank.
  int device = 0;
};

inline constexpr int kMaxWorld = 256;

// Ranks 0 … size - 1 for as many threads of this process, in host memory.
absl::StatusOr<std::vector<std::unique_ptr<Communicator>>> CreateLoopback(
    int size, int64_t max_message_bytes = Options().max_message_bytes);

// One rank in host memory, over TCP or Unix sockets. Returns when it is connected to all others;
// DEADLINE_EXCEEDED says who is missing. FAILED_PRECONDITION: another rank refused this one, and
// why (another build, job or world, or its rank is taken).
absl::StatusOr<std::unique_ptr<Communicator>> CreateSocket(const Options& options,
                                                           absl::Time deadline);

// One rank on GPU `device`, for buffers in CUDA memory; rendezvous, liveness and Abort go over
// sockets, as above. FAILED_PRECONDITION where there is no CUDA library, no NCCL or no such GPU.
absl::StatusOr<std::unique_ptr<Communicator>> CreateNccl(const Options& options,
                                                         absl::Time deadline);

}  // namespace terminus::collective
