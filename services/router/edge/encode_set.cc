#include "services/router/edge/encode_set.h"

#include <algorithm>
#include <utility>

#include "common/rpc/status.h"
#include "services/router/edge/validate.h"

namespace terminus::services::router::edge {
namespace {

v1::Modality ModalityOf(const v1::Content& content) {
  switch (content.kind_case()) {
    case v1::Content::kText:
      return v1::MODALITY_TEXT;
    case v1::Content::kImage:
      return v1::MODALITY_IMAGE;
    case v1::Content::kVideo:
      return v1::MODALITY_VIDEO;
    default:
      return v1::MODALITY_UNSPECIFIED;
  }
}

}  // namespace

void EncodeSet::Start(std::shared_ptr<const dispatch::ServedModel> model,
                      absl::Span<const Item> items, std::function<void()> done) {
  scope_ = {
      .model = std::move(model), .deadline = request_.deadline, .cancel = cancel_, .owner = this};
  done_ = std::move(done);
  results_.resize(items.size());
  fields_.resize(items.size());
  keys_.resize(items.size());
  outcomes_.resize(items.size());
  std::vector<std::unique_ptr<dispatch::EncodeTask>> tasks;
  for (size_t i = 0; i < items.size(); ++i) {
    if (auto task = TakeIn(items[i], i); task != nullptr) {
      tasks.push_back(std::move(task));
    }
  }
  unanswered_.fetch_add(static_cast<int>(tasks.size()), std::memory_order_relaxed);
  edge_.Submit(std::move(tasks));
  Release();
}

std::unique_ptr<dispatch::EncodeTask> EncodeSet::TakeIn(const Item& item, uint64_t slot) {
  Result& result = results_[slot];
  fields_[slot] = item.field;
  result.modality = ModalityOf(*item.content);
  v1::EmbedResult taken;
  auto task = edge_.TakeIn(*item.content, item.field, scope_, slot, taken);
  result.content_hash = std::move(*taken.mutable_content_hash());
  if (task == nullptr) {
    result.status = rpc::FromProto(taken.status());
    if (result.status.ok()) {
      auto encoded = std::make_shared<v1::EncodeResult>();
      encoded->mutable_vector()->Swap(taken.mutable_vector());
      result.encoded = std::move(encoded);
    }
    return nullptr;
  }
  task->item->set_per_frame(item.per_frame);
  keys_[slot] =
      cache::EncodedCache::KeyOf(result.content_hash, scope_.model->space_id, *task->item);
  result.encoded = cache_.Find(keys_[slot]);
  return result.encoded == nullptr ? std::move(task) : nullptr;
}

void EncodeSet::Cancel() {
  cancel_->Raise();
  edge_.SweepCancelled();
}

void EncodeSet::OnEncoded(uint64_t slot, dispatch::EncodeOutcome outcome) {
  Result& result = results_[slot];
  if (outcome.status.ok()) {
    result.encoded = std::make_shared<const v1::EncodeResult>(std::move(outcome.result));
    cache_.Insert(keys_[slot], result.encoded);
  } else {
    result.status = InClientTerms(outcome.status, fields_[slot]);
  }
  outcomes_[slot].queue = outcome.queue;
  outcomes_[slot].preprocess = outcome.preprocess;
  outcomes_[slot].compute = outcome.compute;
  Release();
}

void EncodeSet::Release() {
  if (unanswered_.fetch_sub(1, std::memory_order_acq_rel) > 1) {
    return;
  }
  for (const dispatch::EncodeOutcome& outcome : outcomes_) {
    queue_ = std::max(queue_, outcome.queue);
    preprocess_ = std::max(preprocess_, outcome.preprocess);
    compute_ = std::max(compute_, outcome.compute);
  }
  done_();
}

}  // namespace terminus::services::router::edge
