#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// The address with a free port instead of port 0; any other as it is. ALREADY_EXISTS when another
// process listens there, saying what to do. Unix addresses are not looked at.
absl::StatusOr<std::string> ResolveListenAddress(const std::string& address);

}  // namespace terminus::tools::cli
