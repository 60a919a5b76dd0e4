#include "services/router/edge/embed_call.h"
#include "services/router/edge/embed_stream.h"
#include "services/router/edge/services.h"

namespace terminus::services::router::edge {

grpc::ServerUnaryReactor* EmbeddingService::Embed(grpc::CallbackServerContext* context,
                                                  const v1::EmbedRequest* request,
                                                  v1::EmbedResponse* response) {
  // gRPC made the request for this call alone and made it mutable. Moving the contents out of it
  // saves a copy of every image.
  auto* call = new EmbedCall(edge_, context, const_cast<v1::EmbedRequest*>(request), response);
  call->Start();
  return call;
}

grpc::ServerBidiReactor<v1::EmbedStreamRequest, v1::EmbedStreamResponse>*
EmbeddingService::EmbedStream(grpc::CallbackServerContext* context) {
  auto* call = new EmbedStreamCall(edge_, context);
  call->Start();
  return call;
}

}  // namespace terminus::services::router::edge
