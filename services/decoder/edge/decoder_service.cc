#include "services/decoder/edge/decoder_service.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/rpc/context.h"
#include "common/rpc/status.h"
#include "services/decoder/edge/generate_call.h"
#include "services/decoder/edge/recognize.h"
#include "services/decoder/edge/score.h"
#include "services/decoder/edge/validate.h"

namespace terminus::services::decoder::edge {
namespace {

// Ends a Generate call that never began.
class FailedGenerate final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  explicit FailedGenerate(const absl::Status& status) { Finish(rpc::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

uint64_t RandomSeed() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return random();
}

absl::Status Tokenize(const ServedModel& model, const v1::TokenizeRequest& request,
                      int64_t max_text_bytes, v1::TokenizeResponse& response) {
  if (static_cast<int64_t>(request.text().size()) > max_text_bytes) {
    return base::FieldError(base::kReasonTextTooLong, "text",
                            absl::StrCat(request.text().size(), " bytes, limit ", max_text_bytes));
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens,
                            model.codec->Encode(request.text(), request.add_special_tokens()));
  response.mutable_token_ids()->Assign(tokens.begin(), tokens.end());
  return absl::OkStatus();
}

absl::Status Detokenize(const ServedModel& model, const v1::DetokenizeRequest& request,
                        int64_t max_tokens, v1::DetokenizeResponse& response) {
  if (request.token_ids_size() > max_tokens) {
    return base::FieldError(base::kReasonTextTooLong, "token_ids",
                            absl::StrCat(request.token_ids_size(), " tokens, limit ", max_tokens));
  }
  std::vector<int32_t> tokens;
  for (int i = 0; i < request.token_ids_size(); ++i) {
    const uint32_t token = request.token_ids(i);
    if (token >= static_cast<uint32_t>(model.codec->vocabulary_size())) {
      return base::FieldError(
          base::kReasonInvalidRequest, absl::StrCat("token_ids[", i, "]"),
          absl::StrCat("token ", token, ", the vocabulary has ", model.codec->vocabulary_size()));
    }
    tokens.push_back(static_cast<int32_t>(token));
  }
  TERMINUS_ASSIGN_OR_RETURN(*response.mutable_text(),
                            model.codec->Decode(tokens, request.skip_special_tokens()));
  return absl::OkStatus();
}

}  // namespace

DecoderService::DecoderService(const ServiceOptions& options, EdgeMetrics& metrics)
    : options_(options),
      metrics_(metrics),
      // A call has at most one task that waits.
      pool_("text", options.threads, kMostRequests + kMaxUnaryCalls),
      slots_(metrics.ready) {}

void DecoderService::Serve(BundlePtr bundle) { slots_.Start(Host(std::move(bundle))); }

serving::HostedModel DecoderService::Host(BundlePtr bundle) {
  return {.name = bundle->name, .space_id = bundle->space_id, .model = std::move(bundle)};
}

absl::StatusOr<DecoderService::BundlePtr> DecoderService::Bundle(
    const grpc::CallbackServerContext& context) const {
  const auto space = context.client_metadata().find(rpc::kSpaceIdKey);
  const absl::string_view space_id =
      space == context.client_metadata().end()
          ? absl::string_view()
          : absl::string_view(space->second.data(), space->second.size());
  TERMINUS_ASSIGN_OR_RETURN(const std::shared_ptr<const serving::HostedModel> hosted,
                            slots_.Find(space_id));
  return BundlePtr(hosted, static_cast<const ServedBundle*>(hosted->model.get()));
}

absl::StatusOr<DecoderService::BundlePtr> DecoderService::BundleWithModel(
    const grpc::CallbackServerContext& context, const std::string& model) const {
  TERMINUS_ASSIGN_OR_RETURN(BundlePtr bundle, Bundle(context));
  if (!model.empty() && model != bundle->name) {
    return base::MakeError(
        absl::StatusCode::kNotFound, base::kReasonUnknownModel,
        absl::StrCat("this replica serves '", bundle->name, "', not '", model, "'"));
  }
  if (bundle->model == nullptr) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoLanguageModel,
                           absl::StrCat("the bundle '", bundle->name, "' has no language model"));
  }
  return bundle;
}

grpc::ServerUnaryReactor* DecoderService::Describe(grpc::CallbackServerContext* context,
                                                   const v1::DecoderDescribeRequest* /*request*/,
                                                   v1::DecoderDescribeResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::StatusOr<BundlePtr> bundle = Bundle(*context);
  if (bundle.ok()) {
    Describe(**bundle, response);
  } else if (absl::IsNotFound(bundle.status())) {
    response->set_idle(true);
    DescribeProcess(nullptr, response);
  } else {
    reactor->Finish(rpc::ToGrpc(bundle.status()));
    return reactor;
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

int DecoderService::MaxRequests(const ServedBundle* bundle) const {
  constexpr int kFewest = 256;
  if (options_.max_requests > 0) {
    return options_.max_requests;
  }
  const bool generates = bundle != nullptr && bundle->model != nullptr;
  return std::clamp(generates ? 2 * bundle->model->engine->max_sequences() : 0, kFewest,
                    kMostRequests);
}

void DecoderService::DescribeProcess(const ServedBundle* bundle,
                                     v1::DecoderDescribeResponse* response) const {
  response->set_protocol(kDecoderProtocol);
  response->set_version(kVersion);
  response->set_max_requests(static_cast<uint32_t>(MaxRequests(bundle)));
  response->set_metrics_address(options_.metrics_address);
}

void DecoderService::Describe(const ServedBundle& bundle,
                              v1::DecoderDescribeResponse* response) const {
  DescribeProcess(&bundle, response);
  response->set_model(bundle.name);
  response->set_space_id(bundle.space_id);
  response->set_dimension(static_cast<uint32_t>(bundle.dimension));
  response->set_generates(bundle.model != nullptr);
  if (bundle.model != nullptr) {
    response->set_max_context(static_cast<uint32_t>(bundle.model->engine->max_context()));
    response->set_max_sequences(static_cast<uint32_t>(bundle.model->engine->max_sequences()));
    response->set_dtype(bundle.model->dtype);
  }
  response->set_device(bundle.device);
}

grpc::ServerWriteReactor<v1::GenerateResponse>* DecoderService::Generate(
    grpc::CallbackServerContext* context, const v1::DecoderGenerateRequest* request) {
  const auto fail = [this](const absl::Status& status) {
    metrics_.generate.Count(status.raw_code());
    return new FailedGenerate(status);
  };
  const absl::StatusOr<BundlePtr> bundle = BundleWithModel(*context, request->request().model());
  if (!bundle.ok()) {
    return fail(bundle.status());
  }
  absl::StatusOr<GenerateWish> wish = CheckGenerate(
      *request, (*bundle)->model->settings, RandomSeed(),
      {.max_text_bytes = options_.max_text_bytes, .vocab_size = (*bundle)->model->vocab_size});
  if (!wish.ok()) {
    return fail(wish.status());
  }
  if (const absl::Status status = Enter(**bundle); !status.ok()) {
    return fail(status);
  }
  return GenerateCall::Start({.bundle = *bundle,
                              .pool = &pool_,
                              .metrics = &metrics_,
                              .default_deadline = options_.default_deadline,
                              .leave = [this] { Leave(); }},
                             context, *std::move(wish));
}

absl::Status DecoderService::Enter(const ServedBundle& bundle) {
  const int limit = MaxRequests(&bundle);
  if (requests_.fetch_add(1) >= limit) {
    requests_.fetch_sub(1);
    return Overloaded(limit, " requests are inside already, the limit");
  }
  metrics_.requests.Increment();
  return absl::OkStatus();
}

void DecoderService::Leave() {
  metrics_.requests.Decrement();
  requests_.fetch_sub(1);
}

absl::Status DecoderService::Overloaded(int limit, const char* what) {
  metrics_.refused.Increment();
  return base::WithRetryDelay(base::MakeError(absl::StatusCode::kResourceExhausted,
                                              base::kReasonOverloaded, absl::StrCat(limit, what)),
                              absl::Milliseconds(200));
}

grpc::ServerUnaryReactor* DecoderService::RunUnary(grpc::CallbackServerContext* context,
                                                   MethodMetrics& metrics,
                                                   std::function<absl::Status()> body) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto finish = [this, reactor, &metrics](const absl::Status& status) {
    metrics.Count(status.raw_code());
    unary_calls_.fetch_sub(1);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (unary_calls_.fetch_add(1) >= kMaxUnaryCalls) {
    finish(Overloaded(kMaxUnaryCalls, " calls are inside already, the limit"));
    return reactor;
  }
  TERMINUS_CHECK(pool_.TrySchedule([context, finish, body = std::move(body)] {
    finish(context->IsCancelled() ? absl::CancelledError("the caller has left") : body());
  }));
  return reactor;
}

grpc::ServerUnaryReactor* DecoderService::Tokenize(grpc::CallbackServerContext* context,
                                                   const v1::TokenizeRequest* request,
                                                   v1::TokenizeResponse* response) {
  return RunUnary(context, metrics_.tokenize, [=, this]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(const BundlePtr bundle, BundleWithModel(*context, request->model()));
    return edge::Tokenize(*bundle->model, *request, options_.max_text_bytes, *response);
  });
}

grpc::ServerUnaryReactor* DecoderService::Detokenize(grpc::CallbackServerContext* context,
                                                     const v1::DetokenizeRequest* request,
                                                     v1::DetokenizeResponse* response) {
  return RunUnary(context, metrics_.detokenize, [=, this]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(const BundlePtr bundle, BundleWithModel(*context, request->model()));
    return edge::Detokenize(*bundle->model, *request, options_.max_text_bytes, *response);
  });
}

grpc::ServerUnaryReactor* DecoderService::Score(grpc::CallbackServerContext* context,
                                                const v1::DecoderScoreRequest* request,
                                                v1::ScoreResponse* response) {
  return RunUnary(context, metrics_.score, [=, this]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(const BundlePtr bundle, Bundle(*context));
    return edge::Score(*request, bundle->dimension, *response);
  });
}

grpc::ServerUnaryReactor* DecoderService::Recognize(grpc::CallbackServerContext* context,
                                                    const v1::DecoderRecognizeRequest* request,
                                                    v1::RecognizeResponse* response) {
  return RunUnary(context, metrics_.recognize, [=, this]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(const BundlePtr bundle, Bundle(*context));
    return edge::Recognize(*request, bundle->dimension, bundle->logit_scale, *response);
  });
}

}  // namespace terminus::services::decoder::edge
