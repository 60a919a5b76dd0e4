#include "common/settings/collector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"

namespace terminus::settings {
namespace {

thread_local Collector* innermost = nullptr;

}  // namespace

void Warn(const std::string& message) {
  if (innermost == nullptr) {
    base::LogWarning(message);
    return;
  }
  std::vector<std::string>& warnings = innermost->warnings_;
  if (std::find(warnings.begin(), warnings.end(), message) == warnings.end()) {
    warnings.push_back(message);
  }
}

void NoteRead(const Table& table, absl::string_view key) {
  if (innermost != nullptr) {
    innermost->reads_.emplace(&table, std::string(key));
  }
}

Collector::Collector() : outer_(innermost) { innermost = this; }

Collector::~Collector() { innermost = outer_; }

}  // namespace terminus::settings
