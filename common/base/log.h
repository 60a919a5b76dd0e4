#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace terminus::base {

// Structured enough to grep: one line an event, "time level process message". Goes to stderr, also
// in a program that does not call InitLog; whoever starts the process decides where that ends up.
// Thread-safe.
void InitLog(const std::string& process, const std::string& level);

void LogInfo(absl::string_view message);
void LogWarning(absl::string_view message);
void LogError(absl::string_view message);

}  // namespace terminus::base
