#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/router/discovery/discovery.h"
#include "services/router/edge/decoder_call.h"
#include "services/router/edge/edge.h"
#include "services/router/loading/model_loader.h"
#include "terminus/v1/action.grpc.pb.h"
#include "terminus/v1/cluster.grpc.pb.h"
#include "terminus/v1/embedding.grpc.pb.h"
#include "terminus/v1/generation.grpc.pb.h"
#include "terminus/v1/retrieval.grpc.pb.h"

// The gRPC services of the router. Each handler converts, delegates and finishes.
namespace terminus::services::router::edge {

class EmbeddingService final : public v1::Embedding::CallbackService {
 public:
  explicit EmbeddingService(const EdgeParts& parts) : edge_(parts) {}

  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context,
                                  const v1::EmbedRequest* request,
                                  v1::EmbedResponse* response) override;
  grpc::ServerBidiReactor<v1::EmbedStreamRequest, v1::EmbedStreamResponse>* EmbedStream(
      grpc::CallbackServerContext* context) override;

 private:
  const Edge edge_;
};

struct ClusterParts {
  // Null: the model cannot be changed by a call.
  loading::ModelLoader* loader = nullptr;
  absl::Duration load_timeout;
  const discovery::Discovery* discovery = nullptr;
  const discovery::Catalog* catalog = nullptr;
  const admission::Admission* admission = nullptr;
  std::vector<discovery::ServiceSpec> services;
  std::string metrics_address;
};

class ClusterService final : public v1::Cluster::CallbackService {
 public:
  explicit ClusterService(const ClusterParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* ExplainBatching(grpc::CallbackServerContext* context,
                                            const v1::ExplainBatchingRequest* request,
                                            v1::ExplainBatchingResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context,
                                      const v1::LoadModelRequest* request,
                                      v1::LoadModelResponse* response) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context,
                                        const v1::UnloadModelRequest* request,
                                        v1::UnloadModelResponse* response) override;

 private:
  const ClusterParts parts_;
  const absl::Time started_ = absl::Now();
};

// These three end at the decoder; in a cluster without one they answer UNIMPLEMENTED.
class GenerationService final : public v1::Generation::CallbackService {
 public:
  explicit GenerationService(const DecoderParts& parts) : parts_(parts) {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const v1::DetokenizeRequest* request,
                                       v1::DetokenizeResponse* response) override;

 private:
  const DecoderParts parts_;
};

class RetrievalService final : public v1::Retrieval::CallbackService {
 public:
  explicit RetrievalService(const DecoderParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const v1::ScoreRequest* request,
                                  v1::ScoreResponse* response) override;

 private:
  const DecoderParts parts_;
};

class ActionService final : public v1::Action::CallbackService {
 public:
  explicit ActionService(const DecoderParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Recognize(grpc::CallbackServerContext* context,
                                      const v1::RecognizeRequest* request,
                                      v1::RecognizeResponse* response) override;

 private:
  const DecoderParts parts_;
};

}  // namespace terminus::services::router::edge
