#pragma once

#include <algorithm>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/batching/task.h"
#include "common/rpc/context.h"
#include "terminus/v1/encoder.pb.h"
#include "terminus/v1/modality.pb.h"

namespace terminus::services::router::dispatch {

// Lives as long as anyone uses a model: the catalog while it is served, and every call that was
// checked against it, until that is answered.
class ModelUse {
 public:
  ModelUse() = default;
  ~ModelUse() { ended_.set_value(); }
  ModelUse(const ModelUse&) = delete;
  ModelUse& operator=(const ModelUse&) = delete;

  // Ready once nobody uses the model any more; outlives this.
  std::shared_future<void> ended() const { return future_; }

 private:
  std::promise<void> ended_;
  const std::shared_future<void> future_ = ended_.get_future().share();
};

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
  // What the model takes none of, whatever services there are: the bundle that was loaded has
  // nothing for them.
  std::vector<v1::Modality> lacks;
  // Shared by what replicas add to the description of one and the same model.
  std::shared_ptr<const ModelUse> use;

  bool Takes(v1::Modality modality) const {
    return std::find(lacks.begin(), lacks.end(), modality) == lacks.end();
  }
};

// What came of one item.
struct EncodeOutcome {
  // Not OK: why there is no result; `result` is empty then.
  absl::Status status;
  // OK: its own status is OK too, and its vector is float32 of the model's dimension and space.
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
  // What the request was checked against. It is encoded in the space of this one, also when the
  // cluster serves another one by then.
  std::shared_ptr<const ServedModel> model;
  // Times it was given to a replica that then was lost.
  int lost = 0;
};

}  // namespace terminus::services::router::dispatch
