#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "terminus/v1/content.pb.h"
#include "terminus/v1/embedding.grpc.pb.h"

namespace terminus::tools::cli {

struct BulkOptions {
  // What is sent ahead of the answers at most; one item larger than the bytes goes alone.
  int max_items_in_flight = 128;
  int64_t max_bytes_in_flight = 32 << 20;
  // The stream is given up when nothing moves for so long.
  absl::Duration stall_timeout = absl::Seconds(60);
  // Items that ended UNAVAILABLE or RESOURCE_EXHAUSTED are sent again, in so many rounds in all,
  // and so is what a broken stream left unanswered.
  int max_rounds = 4;
  absl::Duration retry_delay = absl::Milliseconds(500);
};

struct BulkItem {
  // Why it has no vector, if so.
  absl::Status status = absl::UnknownError("not answered");
  // float32, length 1.
  std::vector<float> vector;
  bool truncated = false;
};

struct BulkResult {
  // One for each item, in order.
  std::vector<BulkItem> items;
  // Empty when nothing was answered.
  std::string space_id;
};

// Embeds `count` items over EmbedStream. `load(i)` makes item i just before it is sent, on another
// thread than the caller's but one at a time; when it fails, its status is the item's. `progress`
// is told the number of items done, on the caller's thread. Fails only when the stream broke before
// the first answer: then with the stream's status.
absl::StatusOr<BulkResult> EmbedBulk(v1::Embedding::StubInterface& stub, size_t count,
                                     absl::FunctionRef<absl::StatusOr<v1::Content>(size_t)> load,
                                     const BulkOptions& options,
                                     absl::FunctionRef<void(size_t done)> progress);

}  // namespace terminus::tools::cli
