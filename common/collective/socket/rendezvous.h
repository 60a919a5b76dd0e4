#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/collective/factory.h"
#include "common/collective/socket/socket.h"

namespace terminus::collective::socket {

// Two connections with another rank: control is always read, so that a loss or an abort is known
// at once, however much data stands in line before it.
struct Link {
  Fd control;
  Fd data;
};

// Connects this rank with all others: rank 0 listens at options.address; the others tell it where
// they listen and get the list of all; each then connects to the ranks below its own. Every
// connection begins with a Hello (build, job, world size, rank), and a wrong one is refused with
// the reason, while the wait for the right one goes on. A peer has five seconds to say its Hello.
//
// links[rank] for all ranks but one's own. The errors are those of CreateSocket.
absl::StatusOr<std::vector<Link>> Rendezvous(const Options& options, absl::Time deadline);

}  // namespace terminus::collective::socket
