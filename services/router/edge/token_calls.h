#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "services/router/edge/decoder_call.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::router::edge {

// One Tokenize or Detokenize: the decoder holds the language model's tokenizer.
template <class Request, class Response>
class TokenCall final : public DecoderCall {
 public:
  TokenCall(const DecoderParts& parts, grpc::CallbackServerContext* context, MethodMetrics& metrics,
            const Request* request, Response* response)
      : DecoderCall(parts, context, metrics), request_(request), response_(response) {}

 private:
  absl::Status TakeIn(std::vector<EncodeSet::Item>&) override {
    return Check(*request_, parts().edge.limits);
  }
  const std::string& model_name() const override { return request_->model(); }
  bool compares_vectors() const override { return false; }
  int64_t request_bytes() const override { return static_cast<int64_t>(request_->ByteSizeLong()); }
  absl::StatusOr<bool> Encoded(const std::vector<EncodeSet::Result>&) override { return true; }
  void Send(v1::Decoder::Stub& stub, grpc::ClientContext* context,
            std::function<void(grpc::Status)> done) override {
    response_->Clear();
    Start(*stub.async(), context, request_, response_, std::move(done));
  }

  static absl::Status Check(const v1::TokenizeRequest& request, const config::Limits& limits) {
    if (static_cast<int64_t>(request.text().size()) > limits.max_text_bytes) {
      return base::FieldError(
          base::kReasonTextTooLong, "text",
          absl::StrCat("the text has ", request.text().size(), " bytes, at most ",
                       limits.max_text_bytes, " are taken"));
    }
    return absl::OkStatus();
  }
  static absl::Status Check(const v1::DetokenizeRequest& request, const config::Limits& limits) {
    if (request.token_ids_size() > limits.max_text_bytes) {
      return base::FieldError(base::kReasonInvalidRequest, "token_ids",
                              absl::StrCat(request.token_ids_size(), " ids, at most ",
                                           limits.max_text_bytes, " are taken"));
    }
    return absl::OkStatus();
  }

  static void Start(v1::Decoder::StubInterface::async_interface& stub, grpc::ClientContext* context,
                    const v1::TokenizeRequest* request, v1::TokenizeResponse* response,
                    std::function<void(grpc::Status)> done) {
    stub.Tokenize(context, request, response, std::move(done));
  }
  static void Start(v1::Decoder::StubInterface::async_interface& stub, grpc::ClientContext* context,
                    const v1::DetokenizeRequest* request, v1::DetokenizeResponse* response,
                    std::function<void(grpc::Status)> done) {
    stub.Detokenize(context, request, response, std::move(done));
  }

  const Request* const request_;
  Response* const response_;
};

}  // namespace terminus::services::router::edge
