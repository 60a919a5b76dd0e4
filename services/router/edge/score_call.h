#pragma once

#include <string>
#include <vector>

#include "services/router/edge/decoder_call.h"
#include "terminus/v1/retrieval.pb.h"

namespace terminus::services::router::edge {

// One Retrieval.Score. A candidate that cannot be encoded fails alone; a query that cannot fails
// the call.
class ScoreCall final : public DecoderCall {
 public:
  // The request's contents are moved out of it.
  ScoreCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
            v1::ScoreRequest* request, v1::ScoreResponse* response)
      : DecoderCall(parts, context, parts.edge.metrics->score),
        request_(request),
        response_(response) {}

 private:
  absl::Status TakeIn(std::vector<EncodeSet::Item>& items) override;
  const std::string& model_name() const override { return request_->model(); }
  bool compares_vectors() const override { return true; }
  int64_t request_bytes() const override { return static_cast<int64_t>(request_->ByteSizeLong()); }
  absl::StatusOr<bool> Encoded(const std::vector<EncodeSet::Result>& results) override;
  void Send(v1::Decoder::Stub& stub, grpc::ClientContext* context,
            std::function<void(grpc::Status)> done) override;
  void Complete() override;

  v1::ScoreRequest* const request_;
  v1::ScoreResponse* const response_;
  v1::DecoderScoreRequest asked_;
  v1::ScoreResponse answered_;
  // Places in the request of the candidates that the decoder was asked about.
  std::vector<uint32_t> places_;
};

}  // namespace terminus::services::router::edge
