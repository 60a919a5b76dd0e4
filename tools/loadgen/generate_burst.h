#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "terminus/v1/generation.pb.h"
#include "tools/loadgen/histogram.h"

namespace terminus::tools::loadgen {

struct GenerateBurst {
  // Calls are spread over them. At least one.
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  // One call each. At least one.
  std::vector<v1::GenerateRequest> requests;
  // Deadline of every call.
  absl::Duration timeout = absl::Minutes(2);
};

struct GenerateReport {
  // From the start of the first call to the end of the last.
  absl::Duration took;
  // Sums over all calls, as each call's usage says.
  int64_t prompt_tokens = 0;
  int64_t cached_prompt_tokens = 0;
  int64_t generated_tokens = 0;
  // From a call's start to the first message that has a token.
  Histogram first_token;
};

// Starts Generation.Generate for all requests together and blocks until every stream has ended,
// `timeout` at most. If calls fail it returns the status of the first that did, and how many they
// are. INTERNAL: a stream ended well without its usage.
absl::StatusOr<GenerateReport> RunGenerateBurst(const GenerateBurst& burst);

}  // namespace terminus::tools::loadgen
