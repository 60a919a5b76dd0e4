#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/collective/socket/socket.h"
#include "services/decoder/grid/channel.h"
#include "services/decoder/grid/handshake.h"

namespace terminus::services::decoder::grid {

struct GridOptions {
  // Address of the front: host:port or unix:/path.
  std::string listen;
  // Where the ranks meet each other: collective::Options::address.
  std::string meeting;
  std::string secret;
  Terms terms;
  // Layers of each stage.
  std::vector<int> layers;
  // Until all ranks have joined.
  absl::Duration join_patience = absl::Minutes(2);
  // Looks whether the wait still makes sense; an error ends it. May be null.
  std::function<absl::Status()> check;
  // How long one connection may take to say who it is.
  absl::Duration handshake_patience = absl::Seconds(5);
};

// The ranks that have joined, by number.
using Ranks = std::map<int, collective::socket::Fd>;

// Waits until every rank of the grid has joined, and welcomes them all. A connection that is not
// one of them is refused, and the wait goes on. DEADLINE_EXCEEDED names the ranks that are missing
// and, if a connection was refused, why the last one was.
absl::StatusOr<Ranks> Gather(const GridOptions& options);

}  // namespace terminus::services::decoder::grid
