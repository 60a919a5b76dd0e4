#pragma once

#include <string>
#include <vector>

#include "services/router/edge/decoder_call.h"
#include "terminus/v1/action.pb.h"

namespace terminus::services::router::edge {

// One Action.Recognize: the video's frames and the labels' texts go through their encoders, and
// the decoder compares them.
class RecognizeCall final : public DecoderCall {
 public:
  // Labels of one call, and bytes of one.
  static constexpr int kMaxLabels = 1000;
  static constexpr size_t kMaxLabelBytes = 1024;

  // The request's contents are moved out of it.
  RecognizeCall(const DecoderParts& parts, grpc::CallbackServerContext* context,
                v1::RecognizeRequest* request, v1::RecognizeResponse* response)
      : DecoderCall(parts, context, parts.edge.metrics->recognize),
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

  v1::RecognizeRequest* const request_;
  v1::RecognizeResponse* const response_;
  // The video, and each label as a text.
  std::vector<v1::Content> contents_;
  std::string video_hash_;
  v1::DecoderRecognizeRequest asked_;
};

}  // namespace terminus::services::router::edge
