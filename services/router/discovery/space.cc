#include "services/router/discovery/space.h"

#include "absl/strings/str_cat.h"

namespace terminus::services::router::discovery {

absl::Status CheckKind(const v1::DescribeResponse& description, v1::Modality expected) {
  if (description.protocol() != kEncoderProtocol) {
    return absl::FailedPreconditionError(absl::StrCat("it speaks protocol ", description.protocol(),
                                                      ", this router speaks ", kEncoderProtocol,
                                                      "; its build is ", description.version()));
  }
  if (description.idle()) {
    return absl::OkStatus();
  }
  if (description.modality() != expected) {
    return absl::FailedPreconditionError(absl::StrCat("it takes ",
                                                      v1::Modality_Name(description.modality()),
                                                      ", expected ", v1::Modality_Name(expected)));
  }
  if (description.space_id().empty()) {
    return absl::FailedPreconditionError("it names no space");
  }
  // A decoder may serve a language model alone, whose folder makes no vectors.
  if (expected != v1::MODALITY_UNSPECIFIED && description.dimension() == 0) {
    return absl::FailedPreconditionError("its vectors have no elements");
  }
  return absl::OkStatus();
}

absl::Status CheckSpace(const v1::DescribeResponse& description,
                        const dispatch::ServedModel& served) {
  if (description.space_id() != served.space_id ||
      description.dimension() != static_cast<uint32_t>(served.dimension)) {
    return absl::FailedPreconditionError(
        absl::StrCat("its space ", description.space_id(), " of dimension ",
                     description.dimension(), " differs from the cluster's ", served.space_id,
                     " of dimension ", served.dimension, "; all services need the same bundle"));
  }
  return absl::OkStatus();
}

dispatch::ServedModel Merge(const v1::DescribeResponse& description,
                            const dispatch::ServedModel& known) {
  dispatch::ServedModel merged;
  if (known.space_id == description.space_id()) {
    merged = known;
  }
  merged.space_id = description.space_id();
  merged.dimension = static_cast<int>(description.dimension());
  if (description.modality() == v1::MODALITY_VIDEO) {
    merged.default_frames = static_cast<int>(description.default_frames());
  }
  if (description.modality() == v1::MODALITY_TEXT) {
    merged.name = description.model();
    merged.max_tokens = static_cast<int>(description.max_tokens());
    merged.prompts.assign(description.prompts().begin(), description.prompts().end());
  } else if (merged.name.empty()) {
    merged.name = description.model();
  }
  return merged;
}

}  // namespace terminus::services::router::discovery
