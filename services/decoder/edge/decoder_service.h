#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/thread_pool.h"
#include "common/serving/model_slots.h"
#include "services/decoder/edge/edge_metrics.h"
#include "services/decoder/edge/served.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::decoder::edge {

// Version of the protocol between router and decoders; they must agree.
inline constexpr uint32_t kDecoderProtocol = 1;

inline constexpr int kMostRequests = 65536;

struct ServiceOptions {
  // Generate calls inside, those that wait included; one more is refused. 0: twice as many as the
  // served model decodes together, at least 256. Requires: at most kMostRequests.
  int max_requests = 0;
  // Text of one request.
  int64_t max_text_bytes = 1 << 20;
  // For calls that come without a deadline of their own.
  absl::Duration default_deadline = absl::Minutes(5);
  // Threads that tokenise, make text of tokens and compare vectors.
  int threads = 1;
  // For Describe.
  std::string metrics_address;
};

// The Decoder service. A call is answered by the bundle that was there for its space when it came,
// also if another one takes that one's place meanwhile. gRPC's own threads never wait: they check,
// and hand over. Must outlive the server it is registered with.
class DecoderService final : public v1::Decoder::CallbackService {
 public:
  DecoderService(const ServiceOptions& options, EdgeMetrics& metrics);

  // Takes the bundle into service; before that every call is answered UNAVAILABLE.
  void Serve(std::shared_ptr<const ServedBundle> bundle);

  // For whoever changes the bundle later. What it holds are bundles that Host made ready for it.
  serving::ModelSlots& slots() { return slots_; }
  static serving::HostedModel Host(std::shared_ptr<const ServedBundle> bundle);

  // What Describe says of a bundle, whether it is served yet or not.
  void Describe(const ServedBundle& bundle, v1::DecoderDescribeResponse* response) const;

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DecoderDescribeRequest* request,
                                     v1::DecoderDescribeResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::DecoderGenerateRequest* request) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const v1::DetokenizeRequest* request,
                                       v1::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const v1::DecoderScoreRequest* request,
                                  v1::ScoreResponse* response) override;
  grpc::ServerUnaryReactor* Recognize(grpc::CallbackServerContext* context,
                                      const v1::DecoderRecognizeRequest* request,
                                      v1::RecognizeResponse* response) override;

 private:
  // Unary calls inside; they are short.
  static constexpr int kMaxUnaryCalls = 256;

  using BundlePtr = std::shared_ptr<const ServedBundle>;

  // The bundle of the space that the call names, else the served one, kept as long as it is held.
  // UNAVAILABLE before there is one, NOT_FOUND when it is not there any more.
  absl::StatusOr<BundlePtr> Bundle(const grpc::CallbackServerContext& context) const;
  // The same, if it has a model of that name; an empty name stands for it.
  absl::StatusOr<BundlePtr> BundleWithModel(const grpc::CallbackServerContext& context,
                                            const std::string& model) const;
  // `bundle` is null while nothing is served.
  void DescribeProcess(const ServedBundle* bundle, v1::DecoderDescribeResponse* response) const;
  // Generate calls inside at most, while the bundle is served.
  int MaxRequests(const ServedBundle* bundle) const;

  // Admits a Generate call of a bundle, or says why not.
  absl::Status Enter(const ServedBundle& bundle);
  void Leave();

  // Runs `body` on the pool and finishes with its status.
  grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, MethodMetrics& metrics,
                                     std::function<absl::Status()> body);
  absl::Status Overloaded(int limit, const char* what);

  const ServiceOptions options_;
  EdgeMetrics& metrics_;
  std::atomic<int> requests_{0};
  std::atomic<int> unary_calls_{0};
  base::ThreadPool pool_;
  // After the pool, so that the engines, which schedule on it, end first.
  serving::ModelSlots slots_;
};

}  // namespace terminus::services::decoder::edge
