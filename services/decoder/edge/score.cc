#include "services/decoder/edge/score.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "services/decoder/edge/vectors.h"

namespace terminus::services::decoder::edge {

absl::Status Score(const v1::DecoderScoreRequest& request, int dimension,
                   v1::ScoreResponse& response) {
  TERMINUS_ASSIGN_OR_RETURN(const Matrix query, ReadMatrix(request.query(), dimension, 1, "query"));
  TERMINUS_RETURN_IF_ERROR(CheckDirection(query.row(0), "query"));
  TERMINUS_ASSIGN_OR_RETURN(const Matrix candidates, ReadMatrix(request.candidates(), dimension,
                                                                kMaxCandidates, "candidates"));
  const int modalities = request.candidate_modalities_size();
  if (modalities != 0 && modalities != candidates.rows) {
    return base::FieldError(
        base::kReasonInvalidRequest, "candidate_modalities",
        absl::StrCat(modalities, " modalities for ", candidates.rows, " candidates"));
  }
  std::vector<uint32_t> ranking;
  for (int i = 0; i < candidates.rows; ++i) {
    v1::CandidateScore* score = response.add_scores();
    score->set_index(static_cast<uint32_t>(i));
    score->mutable_status();
    const absl::Status status =
        CheckDirection(candidates.row(i), absl::StrCat("candidates[", i, "]"));
    if (!status.ok()) {
      rpc::ToProto(status, score->mutable_status());
      continue;
    }
    score->set_cosine(static_cast<float>(Cosine(query.row(0), candidates.row(i))));
    score->set_score(score->cosine());
    ranking.push_back(score->index());
  }
  std::stable_sort(ranking.begin(), ranking.end(), [&response](uint32_t a, uint32_t b) {
    return response.scores(static_cast<int>(a)).score() >
           response.scores(static_cast<int>(b)).score();
  });
  response.mutable_ranking()->Assign(ranking.begin(), ranking.end());
  return absl::OkStatus();
}

}  // namespace terminus::services::decoder::edge
