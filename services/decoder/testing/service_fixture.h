#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/grammar/compiler.h"
#include "common/rpc/server.h"
#include "services/decoder/edge/decoder_service.h"
#include "services/decoder/testing/byte_codec.h"
#include "services/decoder/testing/toy_lm.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::decoder::testing {

// What a client got of one Generate call.
struct Answer {
  absl::Status status;
  // By choice.
  std::map<uint32_t, std::string> text;
  std::map<uint32_t, std::vector<int32_t>> tokens;
  std::map<uint32_t, std::vector<v1::TokenLogprobs>> logprobs;
  std::map<uint32_t, v1::FinishReason> finish;
  v1::Usage usage;
  bool usage_was_last = false;
  int messages = 0;
  std::map<std::string, std::string> trailers;
};

// The service with a toy of a model, behind a real server.
class ServiceFixture : public ::testing::Test {
 protected:
  struct Setup {
    ToyLm::Options model = LetterModel();
    scheduler::StepLimits limits;
    edge::ServiceOptions service;
    // No text can be made of it.
    int32_t unreadable_token = -1;
    // Of the model's folder.
    models::sampling::LogitRules rules;
    // Answers can be kept to output formats, within these limits.
    bool formats = true;
    grammar::Limits grammar;
    // Compiles the formats in place of the real compiler.
    grammar::Compiler::Function compile;
  };

  // Bytes are tokens; the likely ones are the first, so that texts are short to read in a failure.
  static ToyLm::Options LetterModel();

  void Start(Setup setup);
  // The same with any model.
  void Serve(std::shared_ptr<const edge::ServedBundle> bundle, const edge::ServiceOptions& options);
  void TearDown() override;

  // Temperature 0 unless the request is changed.
  static v1::DecoderGenerateRequest Ask(const std::string& text, uint32_t max_tokens);

  Answer Generate(const v1::DecoderGenerateRequest& request,
                  absl::Duration timeout = absl::Seconds(60));
  // Compiles for the tokens of ByteCodec.
  static grammar::Compiled CompileFormat(const grammar::Source& source,
                                         const grammar::Limits& limits);
  // Reads one call to its end.
  static Answer ReadAll(grpc::ClientContext& context,
                        grpc::ClientReader<v1::GenerateResponse>& reader);

  // What the model answers greedily, as bytes, without a service around it.
  std::string Expected(const std::string& text, int max_tokens);

  // Of the metrics, by their full name with labels.
  double Value(const std::string& metric);
  // Waits until all blocks have been given back and no call is inside.
  void ExpectNothingLeft();

  ToyLm::Options model_;
  metrics::Registry registry_{"test"};
  edge::EdgeMetrics edge_metrics_{registry_};
  pipeline::EngineMetrics engine_metrics_{registry_};
  grammar::CompilerMetrics grammar_metrics_{registry_};
  std::unique_ptr<edge::DecoderService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::Decoder::Stub> stub_;
};

}  // namespace terminus::services::decoder::testing
