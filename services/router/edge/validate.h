#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/batching/cost.h"
#include "common/config/cluster_config.h"
#include "services/router/dispatch/encode_task.h"
#include "terminus/v1/content.pb.h"
#include "terminus/v1/embedding.pb.h"

// What is checked before anything is admitted or queued. Every error carries a reason, and the
// field at fault where there is one.
namespace terminus::services::router::edge {

// Whether the served model has the name that a call gives; an empty one stands for any. NOT_FOUND.
absl::Status CheckModelName(const std::string& model, const dispatch::ServedModel& served);

// Whether the served model makes vectors. FAILED_PRECONDITION, NO_ENCODER.
absl::Status CheckMakesVectors(const dispatch::ServedModel& served);

// Options of an embedding call against what is served.
absl::Status CheckOptions(const v1::EmbedOptions& options, const dispatch::ServedModel& served);

// The number of items.
absl::Status CheckItemCount(int items, const config::Limits& limits);

// One content: its size, its encoding, an image's header, a video's range and frames. `field` is
// its place in the request, such as "items[3]". Returns what it will cost its encoder; 0 for an
// embedding.
absl::StatusOr<int64_t> CheckContent(const v1::Content& content, absl::string_view field,
                                     const config::Limits& limits,
                                     const dispatch::ServedModel& served,
                                     const batching::TextCost& text_cost);

// An encoder's error about one item, told in the client's terms: a field it names is renamed to
// the item's place in the client's request.
absl::Status InClientTerms(const absl::Status& status, absl::string_view field);

}  // namespace terminus::services::router::edge
