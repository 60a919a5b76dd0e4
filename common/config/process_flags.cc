#include "common/config/process_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/exit_code.h"
#include "common/base/version.h"
#include "common/config/key.h"

namespace terminus::config {

ClusterConfig ParseProcessFlags(int argc, char** argv, const std::string& section,
                                const std::string& description) {
  CLI::App app(description);
  app.set_version_flag("--version", kVersion);
  std::string file;
  std::string bundle;
  std::string metrics;
  std::string device;
  std::vector<std::string> listen;
  std::vector<std::string> overrides;
  app.add_option("--config", file, "terminus.yaml; see docs/configuration.md");
  app.add_option("--set", overrides, "KEY=VALUE, overrides one key of the config")
      ->allow_extra_args(false);
  app.add_option("--listen", listen, "unix:/path or host:port; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--metrics", metrics, "host:port of the Prometheus endpoint; port 0: a free one");
  app.add_option("--bundle,--model", bundle,
                 "folder of a bundle (bundle.yaml) or of one Hugging Face style model");
  if (section != "router") {
    app.add_option("--device", device, "cpu, cuda:N or auto");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    std::exit(code == 0 ? base::kExitOk : base::kExitRefused);
  }

  if (!listen.empty()) {
    std::vector<std::string> quoted;
    std::transform(listen.begin(), listen.end(), std::back_inserter(quoted), Quote);
    overrides.push_back(absl::StrCat(section, ".listen=[", absl::StrJoin(quoted, ", "), "]"));
  }
  if (!metrics.empty()) {
    overrides.push_back(absl::StrCat(section, ".metrics=", Quote(metrics)));
  }
  if (!device.empty()) {
    overrides.push_back(absl::StrCat(section, ".device=", Quote(device)));
  }
  if (!bundle.empty()) {
    overrides.push_back(absl::StrCat("bundle=", Quote(bundle)));
  }
  auto config = LoadClusterConfig(file, overrides);
  if (!config.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[0], std::string(config.status().message()).c_str());
    std::exit(base::kExitRefused);
  }
  return *std::move(config);
}

}  // namespace terminus::config
