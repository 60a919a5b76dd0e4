#pragma once

#include "absl/status/status.h"
#include "terminus/v1/decoder.pb.h"

namespace terminus::services::decoder::edge {

// Most candidates of one call; the router's own limit is lower.
inline constexpr int kMaxCandidates = 65536;

// Scores the candidates by their cosine with the query, and ranks those that could be scored, ties
// in the request's order. A candidate without a direction (NaN, infinite, all zeros) fails alone.
// INVALID_ARGUMENT for a fault of the request: shapes, dtypes, the query, the modalities.
absl::Status Score(const v1::DecoderScoreRequest& request, int dimension,
                   v1::ScoreResponse& response);

}  // namespace terminus::services::decoder::edge
