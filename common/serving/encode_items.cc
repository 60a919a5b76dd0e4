#include "common/serving/encode_items.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"

namespace terminus::serving {

namespace {

// The rows [begin, begin + times) of the frames' vectors, and when each frame is shown.
void FillFrames(const PreparedItem& item, const executor::Embeddings& embeddings, size_t begin,
                v1::EncodeResult* result) {
  const auto dimension = static_cast<size_t>(embeddings.dimension);
  const size_t frames = item.frame_us.size();
  TERMINUS_CHECK((begin + frames) * dimension <= embeddings.frame_values.size());
  v1::Tensor* tensor = result->mutable_frames();
  *tensor = tensor::FromFloats(
      absl::MakeConstSpan(embeddings.frame_values).subspan(begin * dimension, frames * dimension));
  tensor->clear_shape();
  tensor->add_shape(static_cast<int64_t>(frames));
  tensor->add_shape(static_cast<int64_t>(dimension));
  result->mutable_frame_us()->Assign(item.frame_us.begin(), item.frame_us.end());
}

}  // namespace

std::vector<absl::Time> ItemDeadlines(const v1::EncodeBatchRequest& request, absl::Time arrival) {
  std::vector<absl::Time> deadlines;
  deadlines.reserve(static_cast<size_t>(request.items_size()));
  for (const v1::EncodeItem& item : request.items()) {
    deadlines.push_back(item.timeout_us() == 0 ? absl::InfiniteFuture()
                                               : arrival + absl::Microseconds(item.timeout_us()));
  }
  return deadlines;
}

std::vector<absl::Status> Admit(absl::Span<const absl::Time> deadlines, absl::Time now) {
  std::vector<absl::Status> admitted;
  admitted.reserve(deadlines.size());
  for (const absl::Time deadline : deadlines) {
    admitted.push_back(deadline > now ? absl::OkStatus()
                                      : base::MakeError(absl::StatusCode::kDeadlineExceeded,
                                                        base::kReasonDeadline,
                                                        "the deadline passed before encoding"));
  }
  return admitted;
}

bool AllExpired(absl::Span<const absl::Time> deadlines, absl::Time now) {
  return std::all_of(deadlines.begin(), deadlines.end(),
                     [now](absl::Time deadline) { return deadline <= now; });
}

void FillResponse(absl::Span<const PreparedItem> items,
                  const absl::StatusOr<executor::Embeddings>& embeddings,
                  v1::EncodeBatchResponse* response) {
  size_t row = 0;
  size_t frame = 0;
  for (const PreparedItem& item : items) {
    v1::EncodeResult* result = response->add_results();
    if (!item.status.ok()) {
      rpc::ToProto(item.status, result->mutable_status());
      continue;
    }
    if (!embeddings.ok()) {
      rpc::ToProto(embeddings.status(), result->mutable_status());
      continue;
    }
    const auto dimension = static_cast<size_t>(embeddings->dimension);
    TERMINUS_CHECK((row + 1) * dimension <= embeddings->values.size());
    *result->mutable_vector() = tensor::FromFloats(
        absl::MakeConstSpan(embeddings->values).subspan(row * dimension, dimension));
    *result->mutable_cost() = item.cost;
    result->set_truncated(item.truncated);
    if (item.per_frame) FillFrames(item, *embeddings, frame, result);
    ++row;
    frame += item.frame_us.size();
  }
}

}  // namespace terminus::serving
