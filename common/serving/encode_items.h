#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/executor/encoder.h"
#include "common/serving/frontend.h"
#include "terminus/v1/encoder.pb.h"

// The parts of a batch call that do not depend on what kind of batch it is.
namespace terminus::serving {

// When each item is too late: the batch's arrival plus the item's own time, or never.
std::vector<absl::Time> ItemDeadlines(const v1::EncodeBatchRequest& request, absl::Time arrival);

// OK for the items that still have time at `now`, DEADLINE_EXCEEDED for the others.
std::vector<absl::Status> Admit(absl::Span<const absl::Time> deadlines, absl::Time now);

// True when no item can be answered in time any more.
bool AllExpired(absl::Span<const absl::Time> deadlines, absl::Time now);

// Writes one result an item: its own failure, or the batch's, or the next row of the embeddings,
// and where it asked for them the next rows of the frames' own.
void FillResponse(absl::Span<const PreparedItem> items,
                  const absl::StatusOr<executor::Embeddings>& embeddings,
                  v1::EncodeBatchResponse* response);

}  // namespace terminus::serving
