#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "services/router/cache/encoded_cache.h"
#include "services/router/edge/edge.h"
#include "terminus/v1/modality.pb.h"

namespace terminus::services::router::edge {

// The contents of one call that wants their vectors for something else: each is checked, looked up
// in the cache or sent to its encoder, and when the last is there the call goes on.
class EncodeSet final : public dispatch::EncodeOwner {
 public:
  struct Item {
    // Moved out of.
    v1::Content* content = nullptr;
    // Its place in the request.
    std::string field;
    // Of a video: each frame's vector too.
    bool per_frame = false;
  };

  struct Result {
    // Not OK: why it has no vector, in the client's terms.
    absl::Status status;
    std::string content_hash;
    v1::Modality modality = v1::MODALITY_UNSPECIFIED;
    cache::EncodedCache::Value encoded;
  };

  // All must outlive it; it must outlive its call of `done`.
  EncodeSet(const Edge& edge, cache::EncodedCache& cache, const rpc::RequestContext& request)
      : edge_(edge), cache_(cache), request_(request) {}

  // Once. `done` is called exactly once, from any thread, perhaps before this returns.
  void Start(std::shared_ptr<const dispatch::ServedModel> model, absl::Span<const Item> items,
             std::function<void()> done);

  // Nobody waits any more: what is still queued leaves the queue, and `done` comes soon.
  void Cancel();

  // One for each item, in order; complete once `done` was called.
  const std::vector<Result>& results() const { return results_; }

  // The longest that any item took; complete once `done` was called.
  absl::Duration queue() const { return queue_; }
  absl::Duration preprocess() const { return preprocess_; }
  absl::Duration compute() const { return compute_; }

  void OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) override;
  const rpc::RequestContext& request() const override { return request_; }

 private:
  // Null when the result is there already.
  std::unique_ptr<dispatch::EncodeTask> TakeIn(const Item& item, uint64_t slot);
  void Release();

  const Edge& edge_;
  cache::EncodedCache& cache_;
  const rpc::RequestContext& request_;
  const std::shared_ptr<batching::CancelFlag> cancel_ = std::make_shared<batching::CancelFlag>();
  CallScope scope_;
  std::function<void()> done_;
  // One an item; each slot is written by one thread, and `unanswered_` orders that before `done`.
  std::vector<Result> results_;
  std::vector<std::string> fields_;
  std::vector<std::string> keys_;
  std::vector<dispatch::EncodeOutcome> outcomes_;
  std::atomic<int> unanswered_{1};
  absl::Duration queue_;
  absl::Duration preprocess_;
  absl::Duration compute_;
};

}  // namespace terminus::services::router::edge
