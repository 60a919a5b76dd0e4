#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/base/thread_pool.h"
#include "terminus/v1/encoder.pb.h"

namespace terminus::serving {

// What preprocessing made of one item.
struct PreparedItem {
  // Not OK: the item fails alone and is not in the batch.
  absl::Status status;
  v1::Cost cost;
  bool truncated = false;
};

// A batch ready for the device, and what became of each item it was made from.
template <class Batch>
struct Prepared {
  // Rows are the items whose status is OK, in their order.
  Batch batch;
  std::vector<PreparedItem> items;
  // Observed over the batch; 0 when there was no text.
  double bytes_per_token = 0;
};

// Turns wire items into a batch: tokenises, or decodes and resizes. Thread-safe.
template <class Batch>
class Frontend {
 public:
  virtual ~Frontend() = default;

  // True when Prepare takes less time than waking a thread for it does: some 100 µs.
  virtual bool IsLight(const v1::EncodeBatchRequest& /*request*/) const { return false; }

  // May spread the work over `pool`. An item whose status in `admitted` is not OK (expired, say)
  // is passed over, its status kept.
  virtual Prepared<Batch> Prepare(const v1::EncodeBatchRequest& request,
                                  absl::Span<const absl::Status> admitted,
                                  base::ThreadPool& pool) const = 0;
};

// What a loaded model says of itself, for Describe.
struct ModelInfo {
  std::string name;
  v1::Modality modality = v1::MODALITY_UNSPECIFIED;
  std::string space_id;
  // Tokens of the longest text; 0 if it takes none.
  int max_tokens = 0;
  std::vector<std::string> prompts;
  // "cpu" or "cuda:0".
  std::string device;
};

}  // namespace terminus::serving
