#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/batching/task.h"
#include "common/rpc/context.h"
#include "terminus/v1/encoder.pb.h"

namespace terminus::services::router::dispatch {

// What the cluster serves, as its replicas describe it. Immutable once shared.
struct ServedModel {
  std::string name;
  std::string space_id;
  int dimension = 0;
  // Tokens of the longest text; 0 until a text replica was seen.
  int max_tokens = 0;
  // Frames of a video that asks for no number of its own; 0 until a video replica was seen.
  int default_frames = 0;
  std::vector<std::string> prompts;
  // What a decoder said: whether it generates, and the tokens of its longest sequence.
  bool generates = false;
  int max_context = 0;
};

// What came of one item.
struct EncodeOutcome {
  // Not OK: why there is no result; `result` is empty then.
  absl::Status status;
  // OK: its own status is OK too, and its vector is float32 of the model's dimension.
  v1::EncodeResult result;
  absl::Duration queue;
  absl::Duration preprocess;
  absl::Duration compute;
};

// Whoever made a task and waits for its outcome.
class EncodeOwner {
 public:
  virtual ~EncodeOwner() = default;

  // Exactly once for each task, from any thread, with no lock held: it may submit more work.
  virtual void OnEncoded(uint64_t slot, EncodeOutcome outcome) = 0;

  // Travels with every batch that holds a task of this owner.
  virtual const rpc::RequestContext& request() const = 0;
};

// One content to encode. The owner must outlive it.
struct EncodeTask : batching::Task {
  EncodeOwner* owner = nullptr;
  // The owner's name for it.
  uint64_t slot = 0;
  // The content by itself, so that it moves into a batch and back without being copied.
  std::unique_ptr<v1::EncodeItem> item;
  // What the request was checked against; a replica of another space must not answer it.
  std::shared_ptr<const ServedModel> model;
  // Times it was given to a replica that then was lost.
  int lost = 0;
};

}  // namespace terminus::services::router::dispatch
