// The bare hop: a gRPC server that answers Encoder.EncodeBatch at once with vectors of zeros, one
// for each item, as large as the default model's. What a call to it takes is what gRPC takes.
#include <cstdio>
#include <string>

#include "common/rpc/server.h"
#include "common/tensor/tensor.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::bench {
namespace {

constexpr int kDimension = 384;

class Echo final : public v1::Encoder::CallbackService {
 public:
  grpc::ServerUnaryReactor* EncodeBatch(grpc::CallbackServerContext* context,
                                        const v1::EncodeBatchRequest* request,
                                        v1::EncodeBatchResponse* response) override {
    const std::vector<float> zeros(kDimension);
    for (int i = 0; i < request->items_size(); ++i) {
      *response->add_results()->mutable_vector() = tensor::FromFloats(zeros);
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: echo_server ADDRESS\n");
    return 2;
  }
  rpc::BlockShutdownSignals();
  Echo echo;
  auto server = rpc::Server::Start({.listen = {argv[1]}}, {&echo});
  if (!server.ok()) {
    std::fprintf(stderr, "echo_server: %s\n", server.status().ToString().c_str());
    return 1;
  }
  (*server)->SetServing(true);
  rpc::WaitForShutdownSignal();
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
