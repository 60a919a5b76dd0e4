#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/loadgen/closed_loop.h"

namespace terminus::tools::loadgen {

// Unary calls of any method with requests serialised before the run, so that the generator takes
// as little as possible of the cores it shares with what it measures.
struct GrpcCalls {
  // Clients are spread over them. At least one.
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  // Such as "/terminus.v1.Embedding/Embed".
  std::string method;
  // Serialised requests, used in turn. At least one.
  std::vector<std::string> requests;
  absl::Duration timeout = absl::Seconds(30);
  // Counts the items of an OK answer. Called from several threads at once.
  std::function<void(const grpc::ByteBuffer&, CallOutcome&)> count_items;
};

// Counters of items by status for the two services that are put under load; an answer that does
// not parse counts as a call that ended INTERNAL.
void CountEmbedItems(const grpc::ByteBuffer& answer, CallOutcome& outcome);
void CountEncodeItems(const grpc::ByteBuffer& answer, CallOutcome& outcome);

StartCall MakeStartCall(GrpcCalls calls);

}  // namespace terminus::tools::loadgen
