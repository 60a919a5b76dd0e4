#pragma once

#include <memory>
#include <vector>

#include "common/collective/host/transport.h"

namespace terminus::collective::loopback {

// The ranks of a world within this process: a message is copied once, by whichever side comes
// second, and a Send waits for its Recv.
std::vector<std::unique_ptr<host::Transport>> CreateTransports(int size);

}  // namespace terminus::collective::loopback
