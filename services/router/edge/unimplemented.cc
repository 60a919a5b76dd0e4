#include "common/base/errors.h"
#include "common/rpc/status.h"
#include "services/router/edge/services.h"

namespace terminus::services::router::edge {
namespace {

grpc::Status NotBuilt(const char* message) {
  return rpc::ToGrpc(
      base::MakeError(absl::StatusCode::kUnimplemented, base::kReasonUnsupportedModality, message));
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const char* message) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(NotBuilt(message));
  return reactor;
}

constexpr char kNoDecoder[] = "this cluster has no decoder: it embeds texts and images";

class RefusedStream final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  RefusedStream() { Finish(NotBuilt(kNoDecoder)); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<v1::GenerateResponse>* GenerationService::Generate(
    grpc::CallbackServerContext*, const v1::GenerateRequest*) {
  return new RefusedStream;
}

grpc::ServerUnaryReactor* GenerationService::Tokenize(grpc::CallbackServerContext* context,
                                                      const v1::TokenizeRequest*,
                                                      v1::TokenizeResponse*) {
  return Refuse(context, kNoDecoder);
}

grpc::ServerUnaryReactor* GenerationService::Detokenize(grpc::CallbackServerContext* context,
                                                        const v1::DetokenizeRequest*,
                                                        v1::DetokenizeResponse*) {
  return Refuse(context, kNoDecoder);
}

grpc::ServerUnaryReactor* RetrievalService::Score(grpc::CallbackServerContext* context,
                                                  const v1::ScoreRequest*, v1::ScoreResponse*) {
  return Refuse(context,
                "scoring is not built yet: embed the query and the candidates and compare the "
                "vectors by their cosine");
}

grpc::ServerUnaryReactor* ActionService::Recognize(grpc::CallbackServerContext* context,
                                                   const v1::RecognizeRequest*,
                                                   v1::RecognizeResponse*) {
  return Refuse(context, "videos cannot be encoded yet");
}

}  // namespace terminus::services::router::edge
