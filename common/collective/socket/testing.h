#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/collective/factory.h"

// Worlds for tests: all ranks of one process, over real sockets.
namespace terminus::collective::socket {

// Where nobody listens just now.
std::string FreeTcpAddress();
std::string FreeUnixAddress();

// Creates every rank of options.size, each on a thread of its own, as processes would.
absl::StatusOr<std::vector<std::unique_ptr<Communicator>>> CreateAll(
    const Options& options,
    const std::function<absl::StatusOr<std::unique_ptr<Communicator>>(const Options&, absl::Time)>&
        create = CreateSocket);

}  // namespace terminus::collective::socket
