#include "tools/cli/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/media/video_format.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "tools/cli/state_folder.h"

namespace terminus::tools::cli {
namespace {

// Of a local cluster that listens somewhere else than where we looked, which is easily forgotten.
std::string OtherAddressHint(const std::string& address) {
  const absl::StatusOr<ClusterRecord> record = ReadRecord(StateFolder(StateFolder::DefaultPath()));
  return record.ok() && record->address != address
             ? absl::StrCat(" (the one of this machine listens at ", record->address,
                            ": add --address ", record->address, ")")
             : "";
}

absl::Status WithMessage(const absl::Status& status, const std::string& message) {
  absl::Status changed(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { changed.SetPayload(url, payload); });
  return changed;
}

}  // namespace

Client::Client(const Globals& globals)
    : Client(globals.address, globals.timeout(),
             rpc::MakeChannel(globals.address, 2 * kMaxMessageBytes)) {}

Client::Client(std::string address, absl::Duration timeout, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      timeout_(timeout),
      embedding_(v1::Embedding::NewStub(channel)),
      cluster_(v1::Cluster::NewStub(channel)),
      retrieval_(v1::Retrieval::NewStub(channel)),
      action_(v1::Action::NewStub(channel)),
      generation_(v1::Generation::NewStub(channel)) {}

absl::StatusOr<v1::EmbedResponse> Client::Embed(const v1::EmbedRequest& request) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::EmbedResponse response;
  const grpc::Status status = embedding_->Embed(&context, request, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  if (response.results_size() != request.items_size()) {
    return absl::InternalError(absl::StrCat(address_, " answered ", response.results_size(),
                                            " results to ", request.items_size(), " items"));
  }
  return response;
}

absl::StatusOr<v1::GetStatusResponse> Client::GetStatus() const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::GetStatusResponse response;
  const grpc::Status status = cluster_->GetStatus(&context, {}, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  return response;
}

absl::StatusOr<v1::LoadModelResponse> Client::LoadModel(const v1::LoadModelRequest& request) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::LoadModelResponse response;
  const grpc::Status status = cluster_->LoadModel(&context, request, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  return response;
}

absl::StatusOr<v1::UnloadModelResponse> Client::UnloadModel(
    const v1::UnloadModelRequest& request) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::UnloadModelResponse response;
  const grpc::Status status = cluster_->UnloadModel(&context, request, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  return response;
}

absl::StatusOr<v1::ScoreResponse> Client::Score(const v1::ScoreRequest& request) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::ScoreResponse response;
  const grpc::Status status = retrieval_->Score(&context, request, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  for (const uint32_t place : response.ranking()) {
    if (place >= static_cast<uint32_t>(request.candidates_size()) ||
        response.scores_size() != request.candidates_size()) {
      return absl::InternalError(absl::StrCat(address_, " answered ", response.scores_size(),
                                              " scores to ", request.candidates_size(),
                                              " candidates"));
    }
  }
  return response;
}

absl::StatusOr<v1::RecognizeResponse> Client::Recognize(const v1::RecognizeRequest& request) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  v1::RecognizeResponse response;
  const grpc::Status status = action_->Recognize(&context, request, &response);
  if (!status.ok()) {
    return Explain(rpc::FromGrpc(status));
  }
  return response;
}

absl::Status Client::Generate(
    const v1::GenerateRequest& request,
    absl::FunctionRef<void(const v1::GenerateResponse&)> on_message) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout_));
  const auto reader = generation_->Generate(&context, request);
  v1::GenerateResponse message;
  while (reader->Read(&message)) {
    on_message(message);
  }
  return Explain(rpc::FromGrpc(reader->Finish()));
}

absl::Status Client::Explain(const absl::Status& status) const {
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return status;
    case absl::StatusCode::kUnavailable:
      if (!base::Reason(status).empty()) {
        // The router itself answered.
        return WithMessage(status, absl::StrCat(message,
                                                ": `terminus status` shows which replicas "
                                                "are ready"));
      }
      return WithMessage(
          status, absl::StrCat("no cluster answers at ", address_, ": start one with `terminus up`",
                               OtherAddressHint(address_), " [", message, "]"));
    case absl::StatusCode::kDeadlineExceeded:
      return WithMessage(
          status, absl::StrCat(address_, " did not answer within ", absl::FormatDuration(timeout_),
                               ": allow more with --timeout SECONDS, or look at "
                               "`terminus status` [",
                               message, "]"));
    case absl::StatusCode::kResourceExhausted: {
      const absl::optional<absl::Duration> delay = base::RetryDelay(status);
      return WithMessage(
          status,
          absl::StrCat(message, delay.has_value() ? absl::StrCat(": try again after ",
                                                                 absl::FormatDuration(*delay))
                                                  : std::string()));
    }
    case absl::StatusCode::kUnimplemented:
      if (!base::Reason(status).empty() && base::Reason(status) != base::kReasonUnknownMethod) {
        return status;
      }
      return WithMessage(status, absl::StrCat(address_,
                                              " does not serve this: is it a terminus "
                                              "router of this version? [",
                                              message, "]"));
    default:
      return status;
  }
}

v1::Content ContentOfFile(std::string bytes) {
  v1::Content content;
  if (media::SniffVideo(bytes).has_value()) {
    content.mutable_video()->set_data(std::move(bytes));
  } else {
    content.set_image(std::move(bytes));
  }
  return content;
}

}  // namespace terminus::tools::cli
