#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/config/process_flags.h"
#include "common/metrics/metrics.h"
#include "common/rpc/server.h"
#include "services/router/main/router.h"

namespace terminus::services::router {
namespace {

int Main(int argc, char** argv) {
  rpc::BlockShutdownSignals();
  const config::ClusterConfig config = config::ParseProcessFlags(
      argc, argv, "router", "Terminus: the router, the one address that clients talk to");
  base::InitLog("terminus-router", config.log_level);
  if (config.router.text_replicas.empty() && config.router.vision_replicas.empty() &&
      config.router.video_replicas.empty() && config.router.decoder_replicas.empty()) {
    base::LogError("the config names no replicas; set router.replicas");
    return base::kExitRefused;
  }
  metrics::Registry registry("terminus-router");
  auto exposer = metrics::Exposer::Start(config.router.metrics, registry);
  if (!exposer.ok()) {
    base::LogError(exposer.status().message());
    return base::kExitFailed;
  }
  auto router = Router::Start(config.router, registry, (*exposer)->address());
  if (!router.ok()) {
    base::LogError(router.status().message());
    return base::kExitFailed;
  }
  base::LogInfo(absl::StrCat("listening on ", absl::StrJoin((*router)->addresses(), ", "),
                             ", metrics on ", (*exposer)->address()));
  const int signal = rpc::WaitForShutdownSignal();
  base::LogInfo(absl::StrCat("signal ", signal, ": finishing what is in flight"));
  (*router)->Shutdown();
  return base::kExitOk;
}

}  // namespace
}  // namespace terminus::services::router

int main(int argc, char** argv) { return terminus::services::router::Main(argc, argv); }
