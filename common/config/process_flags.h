#pragma once

#include <string>

#include "common/config/cluster_config.h"

namespace terminus::config {

// Reads the command line that every Terminus process takes, and the config it names:
//   --config FILE  --set KEY=VALUE ...  --bundle FOLDER  --listen ADDRESS ...  --metrics ADDRESS
// and, for an encoder, --device DEVICE and --model FOLDER (a bundle or one model's own folder).
// Flags override the file. `section` is the process's part of the config: "router", "text" or
// "vision". On --help, --version or an error it prints what a person needs and exits the process.
ClusterConfig ParseProcessFlags(int argc, char** argv, const std::string& section,
                                const std::string& description);

}  // namespace terminus::config
