#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::base {

// Reads a whole file. NOT_FOUND or PERMISSION_DENIED name the path; RESOURCE_EXHAUSTED when the
// file is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Replaces a file in one step: readers see the old content or the new, never a part.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view content);

}  // namespace terminus::base
