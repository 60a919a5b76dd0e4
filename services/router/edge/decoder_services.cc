#include "services/router/edge/generate_call.h"
#include "services/router/edge/recognize_call.h"
#include "services/router/edge/score_call.h"
#include "services/router/edge/services.h"
#include "services/router/edge/token_calls.h"

namespace terminus::services::router::edge {
namespace {

// Each call ends by itself; gRPC keeps the reactor until then.
template <class Call>
Call* Begin(Call* call) {
  call->Start();
  return call;
}

}  // namespace

grpc::ServerWriteReactor<v1::GenerateResponse>* GenerationService::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return Begin(new GenerateCall(parts_, context, request));
}

grpc::ServerUnaryReactor* GenerationService::Tokenize(grpc::CallbackServerContext* context,
                                                      const v1::TokenizeRequest* request,
                                                      v1::TokenizeResponse* response) {
  return Begin<DecoderCall>(new TokenCall<v1::TokenizeRequest, v1::TokenizeResponse>(
      parts_, context, parts_.edge.metrics->tokenize, request, response));
}

grpc::ServerUnaryReactor* GenerationService::Detokenize(grpc::CallbackServerContext* context,
                                                        const v1::DetokenizeRequest* request,
                                                        v1::DetokenizeResponse* response) {
  return Begin<DecoderCall>(new TokenCall<v1::DetokenizeRequest, v1::DetokenizeResponse>(
      parts_, context, parts_.edge.metrics->detokenize, request, response));
}

// gRPC made these requests for the call alone and made them mutable; see EmbeddingService::Embed.
grpc::ServerUnaryReactor* RetrievalService::Score(grpc::CallbackServerContext* context,
                                                  const v1::ScoreRequest* request,
                                                  v1::ScoreResponse* response) {
  return Begin<DecoderCall>(
      new ScoreCall(parts_, context, const_cast<v1::ScoreRequest*>(request), response));
}

grpc::ServerUnaryReactor* ActionService::Recognize(grpc::CallbackServerContext* context,
                                                   const v1::RecognizeRequest* request,
                                                   v1::RecognizeResponse* response) {
  return Begin<DecoderCall>(
      new RecognizeCall(parts_, context, const_cast<v1::RecognizeRequest*>(request), response));
}

}  // namespace terminus::services::router::edge
