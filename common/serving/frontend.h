#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
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
  // Of a video: when each of its frames is shown, in the batch's order of frames.
  std::vector<int64_t> frame_us;
  // Whether its frames' own vectors were asked for.
  bool per_frame = false;
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

  // As Prepare, for a frontend whose work takes long enough to be worth giving up: `deadlines` has
  // one for each item, and `abandoned` says whether the caller has left. Any thread may ask it.
  virtual Prepared<Batch> PrepareUntil(const v1::EncodeBatchRequest& request,
                                       absl::Span<const absl::Status> admitted,
                                       absl::Span<const absl::Time> /*deadlines*/,
                                       const std::function<bool()>& /*abandoned*/,
                                       base::ThreadPool& pool) const {
    return Prepare(request, admitted, pool);
  }
};

// What a loaded model says of itself, for Describe.
struct ModelInfo {
  std::string name;
  v1::Modality modality = v1::MODALITY_UNSPECIFIED;
  std::string space_id;
  // Tokens of the longest text; 0 if it takes none.
  int max_tokens = 0;
  // Frames of a video that asks for no number of its own; 0 if it takes none.
  int default_frames = 0;
  std::vector<std::string> prompts;
  // "cpu" or "cuda:0".
  std::string device;
};

}  // namespace terminus::serving
