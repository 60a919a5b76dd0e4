// The bare hop: a gRPC server that answers Encoder.EncodeBatch at once with vectors, one for each
// item, as large as the default model's. What a call to it takes is what gRPC takes. It describes
// itself as a text service, so that a router can stand in front of it too.
#include <cstdio>
#include <string>

#include "common/base/version.h"
#include "common/rpc/server.h"
#include "common/tensor/tensor.h"
#include "services/router/discovery/space.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::bench {
namespace {

constexpr int kDimension = 384;

class Echo final : public v1::Encoder::CallbackService {
 public:
  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DescribeRequest* /*request*/,
                                     v1::DescribeResponse* response) override {
    response->set_protocol(services::router::discovery::kEncoderProtocol);
    response->set_version(kVersion);
    response->set_model("echo");
    response->set_modality(v1::MODALITY_TEXT);
    response->set_space_id("echo");
    response->set_dimension(kDimension);
    response->set_max_tokens(512);
    response->set_max_in_flight(1);
    response->set_device("cpu");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* EncodeBatch(grpc::CallbackServerContext* context,
                                        const v1::EncodeBatchRequest* request,
                                        v1::EncodeBatchResponse* response) override {
    // Of a length that a router can normalise.
    const std::vector<float> ones(kDimension, 1.0f);
    for (int i = 0; i < request->items_size(); ++i) {
      *response->add_results()->mutable_vector() = tensor::FromFloats(ones);
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
