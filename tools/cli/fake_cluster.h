#pragma once

#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/mutex.h"
#include "terminus/v1/cluster.grpc.pb.h"
#include "terminus/v1/embedding.grpc.pb.h"

namespace terminus::tools::cli {

// A router for tests, in this process: embeds a content into two elements made of its bytes.
class FakeCluster : public v1::Embedding::Service, public v1::Cluster::Service {
 public:
  FakeCluster();
  ~FakeCluster() override;

  std::shared_ptr<grpc::Channel> channel() { return server_->InProcessChannel({}); }

  // Answers an item instead of the usual, such as with a failure. Set before any call.
  std::function<v1::EmbedResult(const v1::Content&, int64_t nth)> answer;
  // Streams end with this after so many answers, when that is not negative.
  int break_stream_after = -1;
  // Answers of a stream are held back until so many items came, and then sent in reverse order.
  int reorder = 1;
  // Streams answer nothing.
  bool silent = false;
  std::string space_id = "0123abcd";
  // Whether it has a video replica.
  bool serves_video = false;

  int64_t embedded() const {
    base::MutexLock lock(mutex_);
    return embedded_;
  }

  static v1::EmbedResult Vector(const v1::Content& content);

  grpc::Status Embed(grpc::ServerContext* context, const v1::EmbedRequest* request,
                     v1::EmbedResponse* response) override;
  grpc::Status EmbedStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::EmbedStreamResponse, v1::EmbedStreamRequest>* stream) override;
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::GetStatusResponse* response) override;

 private:
  v1::EmbedResult Answer(const v1::Content& content);

  mutable base::Mutex mutex_;
  int64_t embedded_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace terminus::tools::cli
