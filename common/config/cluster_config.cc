#include "common/config/cluster_config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/config/key.h"

namespace terminus::config {

absl::StatusOr<ClusterConfig> ParseClusterConfig(const std::string& yaml) {
  return ParseClusterConfig(yaml, {});
}

absl::StatusOr<ClusterConfig> LoadClusterConfig(const std::string& path,
                                                const std::vector<std::string>& overrides) {
  constexpr size_t kMaxConfigBytes = 1 << 20;
  std::string yaml;
  if (!path.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(yaml, base::ReadFile(path, kMaxConfigBytes));
  }
  auto config = ParseClusterConfig(yaml, overrides);
  if (!config.ok() && !path.empty()) {
    return base::Annotate(config.status(), path);
  }
  return config;
}

std::string ToYaml(const ClusterConfig& config) {
  std::string yaml;
  std::vector<std::string> open;
  for (const Key& key : Keys()) {
    const std::vector<std::string> parts = absl::StrSplit(key.path, '.');
    size_t common = 0;
    while (common < open.size() && common + 1 < parts.size() && open[common] == parts[common]) {
      ++common;
    }
    open.assign(parts.begin(), parts.end() - 1);
    for (size_t depth = common; depth + 1 < parts.size(); ++depth) {
      absl::StrAppend(&yaml, std::string(2 * depth, ' '), parts[depth], ":\n");
    }
    absl::StrAppend(&yaml, std::string(2 * (parts.size() - 1), ' '), parts.back(), ": ",
                    Format(key, config), "\n");
  }
  return yaml;
}

}  // namespace terminus::config
