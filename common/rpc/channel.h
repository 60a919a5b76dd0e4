#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace terminus::rpc {

// A plain-text channel to "unix:/path" or "host:port". Connects lazily and reconnects with a
// back-off of at most one second, so that a replica that comes back is soon used again.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, int64_t max_message_bytes);

// True for Unix sockets and loopback addresses.
bool IsOnThisMachine(absl::string_view address);

}  // namespace terminus::rpc
