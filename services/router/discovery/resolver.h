#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace terminus::services::router::discovery {

// "dns:///name:port": a name with one replica behind each of its addresses, as a headless service
// in Kubernetes has it. Anything else is one replica's own address.
bool IsDnsTarget(absl::string_view target);

// The addresses behind a DNS target just now, as gRPC writes them ("ipv4:10.0.0.7:8501"), sorted,
// without repeats. Blocks for as long as the system's resolver does. A name that is not known
// (yet) is NOT_FOUND; other failures are UNAVAILABLE.
absl::StatusOr<std::vector<std::string>> ResolveDnsTarget(const std::string& target);

}  // namespace terminus::services::router::discovery
