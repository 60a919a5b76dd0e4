#include "tools/cli/fake_cluster.h"

#include <grpcpp/server_builder.h>

#include <algorithm>
#include <vector>

#include "common/tensor/tensor.h"

namespace terminus::tools::cli {

FakeCluster::FakeCluster() {
  grpc::ServerBuilder builder;
  builder.RegisterService(static_cast<v1::Embedding::Service*>(this));
  builder.RegisterService(static_cast<v1::Cluster::Service*>(this));
  server_ = builder.BuildAndStart();
}

FakeCluster::~FakeCluster() { server_->Shutdown(std::chrono::system_clock::now()); }

v1::EmbedResult FakeCluster::Vector(const v1::Content& content) {
  const std::string& bytes = content.has_text()    ? content.text()
                             : content.has_image() ? content.image()
                                                   : content.video().data();
  const float sum = static_cast<float>(std::count(bytes.begin(), bytes.end(), 'a'));
  v1::EmbedResult result;
  *result.mutable_vector() =
      tensor::FromFloats(std::vector<float>{static_cast<float>(bytes.size()), sum});
  return result;
}

v1::EmbedResult FakeCluster::Answer(const v1::Content& content) {
  int64_t nth;
  {
    base::MutexLock lock(mutex_);
    nth = embedded_++;
  }
  return answer ? answer(content, nth) : Vector(content);
}

grpc::Status FakeCluster::Embed(grpc::ServerContext*, const v1::EmbedRequest* request,
                                v1::EmbedResponse* response) {
  response->set_space_id(space_id);
  for (const v1::Content& item : request->items()) {
    *response->add_results() = Answer(item);
  }
  return grpc::Status::OK;
}

grpc::Status FakeCluster::EmbedStream(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::EmbedStreamResponse, v1::EmbedStreamRequest>* stream) {
  std::vector<v1::EmbedStreamRequest> held;
  int answered = 0;
  const auto flush = [&] {
    for (auto request = held.rbegin(); request != held.rend(); ++request) {
      if (answered == break_stream_after) {
        return false;
      }
      v1::EmbedStreamResponse response;
      response.set_correlation_id(request->correlation_id());
      response.set_space_id(space_id);
      *response.mutable_result() = Answer(request->item());
      stream->Write(response);
      ++answered;
    }
    held.clear();
    return true;
  };
  v1::EmbedStreamRequest request;
  while (stream->Read(&request)) {
    if (silent) {
      continue;
    }
    held.push_back(request);
    if (held.size() >= static_cast<size_t>(reorder) && !flush()) {
      return {grpc::StatusCode::UNAVAILABLE, "the router goes down"};
    }
  }
  if (context->IsCancelled()) {
    return grpc::Status::CANCELLED;
  }
  return flush() ? grpc::Status::OK
                 : grpc::Status(grpc::StatusCode::UNAVAILABLE, "the router goes down");
}

grpc::Status FakeCluster::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                    v1::GetStatusResponse* response) {
  response->set_ready(true);
  response->set_space_id(space_id);
  if (serves_video) {
    response->add_replicas()->set_service("video");
  }
  return grpc::Status::OK;
}

}  // namespace terminus::tools::cli
