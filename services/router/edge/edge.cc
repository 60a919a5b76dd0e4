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

// `kind` is "text", "image" or "video".
absl::Status Unserved(absl::string_view field, absl::string_view kind, absl::string_view why) {
  return base::FieldError(base::kReasonUnsupportedModality, absl::StrCat(field, ".", kind), why);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const dispatch::ServedModel>> Edge::FindModel(
    const std::string& model) const {
  std::shared_ptr<const dispatch::ServedModel> served = parts_.catalog->model();
  if (served == nullptr && parts_.catalog->unloaded()) {
    return base::MakeError(absl::StatusCode::kNotFound, base::kReasonUnknownModel,
                           "no model is served: none was loaded, or it was unloaded");
  }
  if (served == nullptr) {
    return base::WithRetryDelay(
        base::MakeError(absl::StatusCode::kUnavailable, base::kReasonNoReplica,
                        "the cluster is starting: no model has been ready yet"),
        absl::Seconds(1));
  }
  TERMINUS_RETURN_IF_ERROR(CheckModelName(model, *served));
  return served;
}

absl::StatusOr<std::shared_ptr<const dispatch::ServedModel>> Edge::CheckCall(
    const std::string& model, const v1::EmbedOptions& options) const {
  TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<const dispatch::ServedModel> served, FindModel(model));
  TERMINUS_RETURN_IF_ERROR(CheckMakesVectors(*served));
  TERMINUS_RETURN_IF_ERROR(CheckOptions(options, *served));
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

absl::Status Edge::CheckServed(v1::Content::KindCase kind, absl::string_view field,
                               const dispatch::ServedModel& model) const {
  struct Encoder {
    v1::Content::KindCase kind;
    absl::string_view name;
    absl::string_view service;
    v1::Modality modality;
  };
  static constexpr Encoder kEncoders[] = {
      {v1::Content::kText, "text", "text", v1::MODALITY_TEXT},
      {v1::Content::kImage, "image", "vision", v1::MODALITY_IMAGE},
      {v1::Content::kVideo, "video", "video", v1::MODALITY_VIDEO}};
  for (const Encoder& encoder : kEncoders) {
    if (encoder.kind != kind) {
      continue;
    }
    if (PoolOf(kind) == nullptr) {
      return Unserved(field, encoder.name,
                      absl::StrCat("this cluster runs no ", encoder.service, " service"));
    }
    if (!model.Takes(encoder.modality)) {
      return Unserved(field, encoder.name,
                      absl::StrCat("the served model '", model.name, "' takes no ", encoder.name));
    }
  }
  // An embedding needs no encoder, and an empty item is a mistake of its own.
  return absl::OkStatus();
}

std::unique_ptr<dispatch::EncodeTask> Edge::TakeIn(v1::Content& content, absl::string_view field,
                                                   const CallScope& scope, uint64_t slot,
                                                   v1::EmbedResult& result) const {
  result.set_content_hash(ContentHash(content));
  if (const absl::Status status = CheckServed(content.kind_case(), field, *scope.model);
      !status.ok()) {
    WriteError(status, result);
    return nullptr;
  }
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
