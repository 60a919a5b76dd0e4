#include "services/router/edge/edge.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tensor/tensor.h"
#include "services/router/edge/answer.h"
#include "services/router/edge/content_hash.h"
#include "services/router/edge/validate.h"

namespace terminus::services::router::edge {
namespace {

// What an item adds to a batch's message beside itself: its tag, length and time left.
constexpr int64_t kItemOverhead = 24;

// An embedding at hand is answered without leaving the router.
absl::Status WriteOwnVector(const v1::Tensor& vector, const CallScope& scope,
                            v1::EmbedResult& result) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<float> values,
                            tensor::ReadVector(vector, scope.model->dimension));
  TERMINUS_RETURN_IF_ERROR(WriteVector(absl::MakeSpan(values), scope.options, result));
  result.mutable_status();
  return absl::OkStatus();
}

v1::Modality ModalityOf(v1::Content::KindCase kind) {
  switch (kind) {
    case v1::Content::kText:
      return v1::MODALITY_TEXT;
    case v1::Content::kImage:
      return v1::MODALITY_IMAGE;
    default:
      return v1::MODALITY_VIDEO;
  }
}

absl::string_view KindName(v1::Content::KindCase kind) {
  return kind == v1::Content::kText ? "text" : kind == v1::Content::kImage ? "image" : "video";
}

absl::Status UnservedModality(absl::string_view field, absl::string_view kind) {
  return base::FieldError(base::kReasonUnsupportedModality, absl::StrCat(field, ".", kind),
                          absl::StrCat("the served model takes no ", kind));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const dispatch::ServedModel>> Edge::CheckCall(
    const std::string& model, const v1::EmbedOptions& options) const {
  std::shared_ptr<const dispatch::ServedModel> served = parts_.catalog->model();
  if (served == nullptr && parts_.catalog->unloaded()) {
    return base::MakeError(absl::StatusCode::kNotFound, base::kReasonUnknownModel,
                           "no model is served: it was unloaded, and none loaded since");
  }
  if (served == nullptr) {
    return base::WithRetryDelay(
        base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                        "the cluster is starting: no encoder has been ready yet"),
        absl::Seconds(1));
  }
  TERMINUS_RETURN_IF_ERROR(edge::CheckCall(model, options, *served));
  return served;
}

dispatch::Pool* Edge::PoolOf(v1::Content::KindCase kind) const {
  switch (kind) {
    case v1::Content::kText:
      return parts_.text;
    case v1::Content::kImage:
      return parts_.vision;
    case v1::Content::kVideo:
      return parts_.video;
    default:
      return nullptr;
  }
}

std::unique_ptr<dispatch::EncodeTask> Edge::TakeIn(v1::Content& content, absl::string_view field,
                                                   const CallScope& scope, uint64_t slot,
                                                   v1::EmbedResult& result) const {
  result.set_content_hash(ContentHash(content));
  const batching::TextCost unlearned;
  const absl::StatusOr<int64_t> cost =
      CheckContent(content, field, parts_.limits, *scope.model,
                   parts_.text != nullptr ? parts_.text->text_cost() : unlearned);
  if (!cost.ok()) {
    WriteError(cost.status(), result);
    return nullptr;
  }
  if (content.has_embedding()) {
    if (absl::Status status = WriteOwnVector(content.embedding(), scope, result); !status.ok()) {
      WriteError(status, result);
    }
    return nullptr;
  }
  if (PoolOf(content.kind_case()) == nullptr ||
      !scope.model->Takes(ModalityOf(content.kind_case()))) {
    WriteError(UnservedModality(field, KindName(content.kind_case())), result);
    return nullptr;
  }
  auto task = std::make_unique<dispatch::EncodeTask>();
  task->cost = *cost;
  task->deadline = scope.deadline;
  task->cancel = scope.cancel;
  task->owner = scope.owner;
  task->slot = slot;
  task->model = scope.model;
  task->item = std::make_unique<v1::EncodeItem>();
  task->item->mutable_content()->Swap(&content);
  task->item->set_truncate(scope.options.truncate());
  task->item->set_prompt_name(scope.options.prompt_name());
  task->bytes = static_cast<int64_t>(task->item->ByteSizeLong()) + kItemOverhead;
  return task;
}

void Edge::Submit(std::vector<std::unique_ptr<dispatch::EncodeTask>> tasks) const {
  // The dearer ones first.
  for (const auto kind : {v1::Content::kVideo, v1::Content::kImage, v1::Content::kText}) {
    std::vector<std::unique_ptr<dispatch::EncodeTask>> of_kind;
    for (auto& task : tasks) {
      if (task != nullptr && task->item->content().kind_case() == kind) {
        of_kind.push_back(std::move(task));
      }
    }
    if (!of_kind.empty()) {
      PoolOf(kind)->Submit(std::move(of_kind));
    }
  }
}

void Edge::WriteOutcome(dispatch::EncodeOutcome& outcome, absl::string_view field,
                        const v1::EmbedOptions& options, v1::EmbedResult& result) {
  absl::Status status = outcome.status.ok() ? WriteEncoded(outcome.result, options, result)
                                            : InClientTerms(outcome.status, field);
  if (!status.ok()) {
    WriteError(status, result);
  }
}

void Edge::SweepCancelled() const {
  for (dispatch::Pool* pool : {parts_.text, parts_.vision, parts_.video}) {
    if (pool != nullptr) {
      pool->SweepCancelled();
    }
  }
}

}  // namespace terminus::services::router::edge
