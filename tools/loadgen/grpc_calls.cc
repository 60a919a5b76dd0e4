#include "tools/loadgen/grpc_calls.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <utility>

#include "common/base/check.h"
#include "terminus/v1/embedding.pb.h"
#include "terminus/v1/encoder.pb.h"

namespace terminus::tools::loadgen {
namespace {

template <typename Response>
void CountItems(const grpc::ByteBuffer& answer, CallOutcome& outcome) {
  // A view on the same slices; Deserialize empties what it is given.
  grpc::ByteBuffer copy(answer);
  Response response;
  if (!grpc::GenericDeserialize<grpc::ProtoBufferReader, Response>(&copy, &response).ok()) {
    outcome.code = absl::StatusCode::kInternal;
    return;
  }
  for (const auto& result : response.results()) {
    ++outcome.items[static_cast<absl::StatusCode>(result.status().code())];
  }
}

// Everything that must outlive one call.
struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer answer;
  DoneCallback done;
};

struct Target {
  explicit Target(GrpcCalls from) : calls(std::move(from)) {
    for (const auto& channel : calls.channels) {
      stubs.push_back(std::make_unique<grpc::GenericStub>(channel));
    }
    for (const std::string& request : calls.requests) {
      const grpc::Slice slice(request);
      requests.emplace_back(&slice, 1);
    }
    calls.requests.clear();
  }

  GrpcCalls calls;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs;
  std::vector<grpc::ByteBuffer> requests;
};

}  // namespace

void CountEmbedItems(const grpc::ByteBuffer& answer, CallOutcome& outcome) {
  CountItems<v1::EmbedResponse>(answer, outcome);
}

void CountEncodeItems(const grpc::ByteBuffer& answer, CallOutcome& outcome) {
  CountItems<v1::EncodeBatchResponse>(answer, outcome);
}

StartCall MakeStartCall(GrpcCalls calls) {
  TERMINUS_CHECK(!calls.channels.empty() && !calls.requests.empty());
  auto target = std::make_shared<Target>(std::move(calls));
  return [target](int client, int64_t sequence, DoneCallback done) {
    auto owned = std::make_shared<Call>();
    Call& call = *owned;
    call.done = std::move(done);
    call.context.set_deadline(absl::ToChronoTime(absl::Now() + target->calls.timeout));
    target->stubs[client % target->stubs.size()]->UnaryCall(
        &call.context, target->calls.method, grpc::StubOptions(),
        &target->requests[sequence % target->requests.size()], &call.answer,
        [target, owned = std::move(owned)](const grpc::Status& status) mutable {
          CallOutcome outcome{.code = static_cast<absl::StatusCode>(status.error_code())};
          if (status.ok() && target->calls.count_items) {
            target->calls.count_items(owned->answer, outcome);
          }
          // Both hold the channel, and gRPC cannot bear that one of its own threads is the last to
          // let go of one; after `done` the run may be over.
          const DoneCallback done = std::move(owned->done);
          owned.reset();
          target.reset();
          done(outcome);
        });
  };
}

}  // namespace terminus::tools::loadgen
