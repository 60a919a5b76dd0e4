#pragma once

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "terminus/v1/action.grpc.pb.h"
#include "terminus/v1/cluster.grpc.pb.h"
#include "terminus/v1/embedding.grpc.pb.h"
#include "terminus/v1/generation.grpc.pb.h"
#include "terminus/v1/retrieval.grpc.pb.h"
#include "tools/cli/command.h"

namespace terminus::tools::cli {

// One request over the wire is at most this large; what is larger cannot be embedded.
inline constexpr int64_t kMaxMessageBytes = 64 << 20;

// The public API of the cluster at one address. Its errors say what to do next. Thread-safe.
class Client {
 public:
  explicit Client(const Globals& globals);
  // For tests: over a channel that exists.
  Client(std::string address, absl::Duration timeout, std::shared_ptr<grpc::Channel> channel);

  absl::StatusOr<v1::EmbedResponse> Embed(const v1::EmbedRequest& request) const;
  absl::StatusOr<v1::GetStatusResponse> GetStatus() const;
  absl::StatusOr<v1::ScoreResponse> Score(const v1::ScoreRequest& request) const;
  absl::StatusOr<v1::RecognizeResponse> Recognize(const v1::RecognizeRequest& request) const;
  absl::StatusOr<v1::LoadModelResponse> LoadModel(const v1::LoadModelRequest& request) const;
  absl::StatusOr<v1::UnloadModelResponse> UnloadModel(const v1::UnloadModelRequest& request) const;
  // Calls `on_message` for each message as it comes.
  absl::Status Generate(const v1::GenerateRequest& request,
                        absl::FunctionRef<void(const v1::GenerateResponse&)> on_message) const;

  v1::Embedding::StubInterface& embedding() const { return *embedding_; }
  const std::string& address() const { return address_; }
  absl::Duration timeout() const { return timeout_; }

  // Adds what to do next to an error that came from the cluster.
  absl::Status Explain(const absl::Status& status) const;

 private:
  const std::string address_;
  const absl::Duration timeout_;
  const std::unique_ptr<v1::Embedding::StubInterface> embedding_;
  const std::unique_ptr<v1::Cluster::StubInterface> cluster_;
  const std::unique_ptr<v1::Retrieval::StubInterface> retrieval_;
  const std::unique_ptr<v1::Action::StubInterface> action_;
  const std::unique_ptr<v1::Generation::StubInterface> generation_;
};

// A file's bytes as a content: a video when they begin like one, else an image. The cluster, not
// we, judges what they are worth.
v1::Content ContentOfFile(std::string bytes);

}  // namespace terminus::tools::cli
