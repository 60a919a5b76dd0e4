#include "services/router/edge/recognize_call.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "services/router/edge/vectors.h"

namespace terminus::services::router::edge {
namespace {

absl::Status CheckLabels(const google::protobuf::RepeatedPtrField<std::string>& labels) {
  if (labels.size() > RecognizeCall::kMaxLabels) {
    return base::FieldError(base::kReasonInvalidRequest, "labels",
                            absl::StrCat(labels.size(), " labels, at most ",
                                         RecognizeCall::kMaxLabels, " are taken in one call"));
  }
  std::map<absl::string_view, int> seen;
  for (int i = 0; i < labels.size(); ++i) {
    const std::string field = absl::StrCat("labels[", i, "]");
    // The encoder may make a vector of an empty text, which names no action.
    if (labels[i].empty()) {
      return base::FieldError(base::kReasonEmptyItem, field, "the label is empty");
    }
    if (labels[i].size() > RecognizeCall::kMaxLabelBytes) {
      return base::FieldError(base::kReasonInvalidRequest, field,
                              absl::StrCat("the label has ", labels[i].size(), " bytes, at most ",
                                           RecognizeCall::kMaxLabelBytes, " are taken"));
    }
    const auto [first, fresh] = seen.emplace(labels[i], i);
    if (!fresh) {
      return base::FieldError(
          base::kReasonInvalidRequest, field,
          absl::StrCat("\"", labels[i], "\" is the same as labels[", first->second, "]"));
    }
  }
  return absl::OkStatus();
}

// The encoders' way in names a content by its kind, such as "labels[2].text"; here a label is a
// string and the video a field of its own.
absl::Status InFieldsOfTheCall(const absl::Status& status, size_t item) {
  const std::string named = base::Field(status);
  if (named.empty() || !absl::IsInvalidArgument(status)) {
    return status;
  }
  return base::FieldError(base::Reason(status),
                          item == 0 ? std::string("video") : absl::StrCat("labels[", item - 1, "]"),
                          absl::StripPrefix(status.message(), named + ": "));
}

}  // namespace

absl::Status RecognizeCall::TakeIn(std::vector<EncodeSet::Item>& items) {
  if (!request_->has_video()) {
    return base::FieldError(base::kReasonEmptyItem, "video", "the request has no video");
  }
  TERMINUS_RETURN_IF_ERROR(CheckLabels(request_->labels()));
  contents_.resize(1 + request_->labels_size());
  contents_[0].mutable_video()->Swap(request_->mutable_video());
  for (int i = 0; i < request_->labels_size(); ++i) {
    contents_[1 + i].set_text(request_->labels(i));
  }
  items.push_back({.content = &contents_[0], .field = "video", .per_frame = true});
  for (int i = 0; i < request_->labels_size(); ++i) {
    items.push_back({.content = &contents_[1 + i], .field = absl::StrCat("labels[", i, "]")});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RecognizeCall::Encoded(const std::vector<EncodeSet::Result>& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    TERMINUS_RETURN_IF_ERROR(InFieldsOfTheCall(results[i].status, i));
  }
  const EncodeSet::Result& video = results.front();
  video_hash_ = video.content_hash;
  *asked_.mutable_frames() = video.encoded->frames();
  *asked_.mutable_frame_us() = video.encoded->frame_us();
  for (size_t i = 1; i < results.size(); ++i) {
    AppendRow(results[i].encoded->vector(), *asked_.mutable_label_vectors());
  }
  asked_.mutable_labels()->Swap(request_->mutable_labels());
  asked_.set_top_k(request_->top_k());
  return true;
}

void RecognizeCall::Send(v1::Decoder::Stub& stub, grpc::ClientContext* context,
                         std::function<void(grpc::Status)> done) {
  response_->Clear();
  stub.async()->Recognize(context, &asked_, response_, std::move(done));
}

void RecognizeCall::Complete() {
  response_->set_content_hash(video_hash_);
  response_->set_frames(static_cast<uint32_t>(asked_.frame_us_size()));
}

}  // namespace terminus::services::router::edge
