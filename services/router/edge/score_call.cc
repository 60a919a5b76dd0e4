#include "services/router/edge/score_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "services/router/edge/vectors.h"

namespace terminus::services::router::edge {

absl::Status ScoreCall::TakeIn(std::vector<EncodeSet::Item>& items) {
  const int candidates = request_->candidates_size();
  if (candidates == 0) {
    return base::FieldError(base::kReasonInvalidRequest, "candidates",
                            "the request has no candidates");
  }
  const int most = parts().edge.limits.max_candidates;
  if (candidates > most) {
    return base::FieldError(
        base::kReasonInvalidRequest, "candidates",
        absl::StrCat(candidates, " candidates, at most ", most, " are taken in one call"));
  }
  items.push_back({.content = request_->mutable_query(), .field = "query"});
  for (int i = 0; i < candidates; ++i) {
    items.push_back(
        {.content = request_->mutable_candidates(i), .field = absl::StrCat("candidates[", i, "]")});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ScoreCall::Encoded(const std::vector<EncodeSet::Result>& results) {
  const EncodeSet::Result& query = results.front();
  if (!query.status.ok()) {
    return query.status;
  }
  response_->set_query_hash(query.content_hash);
  asked_.set_query_modality(query.modality);
  *asked_.mutable_query() = query.encoded->vector();
  for (size_t i = 1; i < results.size(); ++i) {
    const EncodeSet::Result& candidate = results[i];
    const auto place = static_cast<uint32_t>(i - 1);
    response_->add_content_hashes(candidate.content_hash);
    v1::CandidateScore* score = response_->add_scores();
    score->set_index(place);
    rpc::ToProto(candidate.status, score->mutable_status());
    if (candidate.status.ok()) {
      places_.push_back(place);
      asked_.add_candidate_modalities(candidate.modality);
      AppendRow(candidate.encoded->vector(), *asked_.mutable_candidates());
    }
  }
  return !places_.empty();
}

void ScoreCall::Send(v1::Decoder::Stub& stub, grpc::ClientContext* context,
                     std::function<void(grpc::Status)> done) {
  answered_.Clear();
  stub.async()->Score(context, &asked_, &answered_, std::move(done));
}

void ScoreCall::Complete() {
  // The decoder numbers the candidates it was asked about.
  for (v1::CandidateScore& score : *answered_.mutable_scores()) {
    if (score.index() < places_.size()) {
      const uint32_t place = places_[score.index()];
      score.set_index(place);
      response_->mutable_scores(static_cast<int>(place))->Swap(&score);
    }
  }
  for (uint32_t rank : answered_.ranking()) {
    if (rank < places_.size()) {
      response_->add_ranking(places_[rank]);
    }
  }
}

}  // namespace terminus::services::router::edge
