#include "services/decoder/edge/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"

namespace terminus::services::decoder::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Tensor Tensor(const std::vector<float>& values, const std::vector<int64_t>& shape) {
  v1::Tensor tensor = tensor::FromFloats(values);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  return tensor;
}

v1::DecoderScoreRequest Request(const std::vector<float>& query,
                                const std::vector<float>& candidates) {
  v1::DecoderScoreRequest request;
  *request.mutable_query() = Tensor(query, {static_cast<int64_t>(query.size())});
  const auto rows = static_cast<int64_t>(candidates.size() / 2);
  *request.mutable_candidates() = Tensor(candidates, {rows, 2});
  return request;
}

std::string FieldOf(const v1::DecoderScoreRequest& request) {
  v1::ScoreResponse response;
  const absl::Status status = Score(request, 2, response);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return base::Field(status);
}

TEST(Score, CosinesInOrderAndRankedWithTiesAsTheyCame) {
  v1::ScoreResponse response;
  ASSERT_TRUE(Score(Request({2, 0}, {0, 1, 3, 0, 1, 1, 7, 0, -1, 0}), 2, response).ok());
  ASSERT_EQ(response.scores_size(), 5);
  EXPECT_FLOAT_EQ(response.scores(0).cosine(), 0);
  EXPECT_FLOAT_EQ(response.scores(1).cosine(), 1);
  EXPECT_FLOAT_EQ(response.scores(2).cosine(), std::sqrt(0.5f));
  EXPECT_FLOAT_EQ(response.scores(4).score(), -1);
  EXPECT_FALSE(response.scores(1).has_learned());
  EXPECT_EQ(response.scores(3).index(), 3u);
  EXPECT_THAT(response.ranking(), ElementsAre(1, 3, 2, 0, 4));
}

TEST(Score, ACandidateWithoutADirectionFailsAlone) {
  v1::ScoreResponse response;
  ASSERT_TRUE(
      Score(Request({1, 0}, {0, 0, std::nanf(""), 1, INFINITY, 0, 1, 0}), 2, response).ok());
  for (const int bad : {0, 1, 2}) {
    const absl::Status status = rpc::FromProto(response.scores(bad).status());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::Field(status), "candidates[" + std::to_string(bad) + "]");
  }
  EXPECT_TRUE(response.scores(3).has_status());
  EXPECT_EQ(response.scores(3).status().code(), 0);
  EXPECT_THAT(response.ranking(), ElementsAre(3));
}

TEST(Score, HugeValuesDoNotOverflow) {
  v1::ScoreResponse response;
  ASSERT_TRUE(Score(Request({3e38f, 3e38f}, {3e38f, 3e38f, 1e-38f, 1e-38f}), 2, response).ok());
  EXPECT_FLOAT_EQ(response.scores(0).cosine(), 1);
  EXPECT_FLOAT_EQ(response.scores(1).cosine(), 1);
}

TEST(Score, FaultsOfTheRequestNameTheField) {
  EXPECT_EQ(FieldOf(Request({1, 0, 0}, {1, 0})), "query");
  EXPECT_EQ(FieldOf(Request({0, 0}, {1, 0})), "query");
  EXPECT_EQ(FieldOf(Request({std::nanf(""), 0}, {1, 0})), "query");
  EXPECT_EQ(FieldOf(Request({1, 0}, {})), "candidates");
  EXPECT_EQ(FieldOf({}), "query");

  v1::DecoderScoreRequest request = Request({1, 0}, {1, 0, 0, 1});
  *request.mutable_candidates() = Tensor({1, 2, 3}, {1, 3});
  EXPECT_EQ(FieldOf(request), "candidates");
  request = Request({1, 0}, {1, 0, 0, 1});
  request.mutable_candidates()->set_dtype(v1::DATA_TYPE_FLOAT16);
  EXPECT_EQ(FieldOf(request), "candidates");
  request = Request({1, 0}, {1, 0, 0, 1});
  request.mutable_candidates()->mutable_data()->pop_back();
  EXPECT_EQ(FieldOf(request), "candidates");
  request = Request({1, 0}, {1, 0, 0, 1});
  request.mutable_candidates()->set_shape(0, int64_t{1} << 40);
  EXPECT_EQ(FieldOf(request), "candidates");
  request = Request({1, 0}, {1, 0, 0, 1});
  request.add_candidate_modalities(v1::MODALITY_TEXT);
  EXPECT_EQ(FieldOf(request), "candidate_modalities");
}

}  // namespace
}  // namespace terminus::services::decoder::edge
