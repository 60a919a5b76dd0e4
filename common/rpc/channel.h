#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>

namespace terminus::rpc {

// A plain-text channel to "unix:/path" or "host:port". Connects lazily and reconnects with a
// back-off of at most one second, so that a replica that comes back is soon used again.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, int64_t max_message_bytes);

}  // namespace terminus::rpc
