#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tools/cli/cluster_plan.h"
#include "tools/cli/process_host.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {

struct RunOptions {
  // How long the cluster may take to become ready.
  absl::Duration ready_timeout = absl::Seconds(120);
  int64_t max_log_bytes = 16 << 20;
  LifecycleOptions lifecycle;
  // One line about how the start proceeds, and later about what dies and is restarted.
  std::function<void(const std::string&)> print;
  // Called once the cluster serves, with how long that took. An error ends the run.
  std::function<absl::Status(absl::Duration)> on_ready;
};

// Runs the cluster on the calling thread until SIGINT or SIGTERM (the second one kills what is
// still there), or until a process fails for good before the cluster was ever ready. Everything it
// started has ended when it returns. Blocks these signals in the calling thread, which must be the
// only one.
absl::Status RunCluster(const ClusterPlan& plan, const StateFolder& folder,
                        const RunOptions& options);

}  // namespace terminus::tools::cli
