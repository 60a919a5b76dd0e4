#include "services/decoder/testing/service_fixture.h"

#include <grpcpp/client_context.h>

#include <thread>
#include <utility>

#include "common/base/status_macros.h"
#include "common/grammar/compiler.h"
#include "common/grammar/vocabulary.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "services/decoder/testing/thread_stage.h"

namespace terminus::services::decoder::testing {

ToyLm::Options ServiceFixture::LetterModel() {
  return {.vocab_size = ByteCodec::kVocabulary,
          .max_context = 256,
          .kv_blocks = 64,
          .first_likely = 'a',
          .first_special = 'z' + 1};
}

grammar::Compiled ServiceFixture::CompileFormat(const grammar::Source& source,
                                                const grammar::Limits& limits) {
  std::vector<std::string> bytes(ByteCodec::kVocabulary);
  for (size_t byte = 0; byte < 256; ++byte) {
    bytes[byte] = std::string(1, static_cast<char>(byte));
  }
  TERMINUS_ASSIGN_OR_RETURN(std::shared_ptr<const grammar::Vocabulary> vocabulary,
                            grammar::Vocabulary::FromBytes(std::move(bytes), {ByteCodec::kEos}));
  return grammar::Grammar::Compile(source, std::move(vocabulary), limits);
}

void ServiceFixture::Start(Setup setup) {
  model_ = setup.model;
  auto model = std::make_unique<edge::ServedModel>();
  model->codec = std::make_unique<ByteCodec>(setup.unreadable_token);
  model->vocab_size = model_.vocab_size;
  model->dtype = "float32";
  model->grammars = absl::FailedPreconditionError("no formats");
  if (setup.formats) {
    const auto compile = [limits = setup.grammar](const grammar::Source& source,
                                                  const std::atomic<bool>& /*cancelled*/) {
      return CompileFormat(source, limits);
    };
    model->grammars = std::make_unique<grammar::Compiler>(
        grammar::Compiler::Options{}, grammar_metrics_, setup.compile ? setup.compile : compile);
  }
  model->engine = std::make_unique<pipeline::Engine>(
      pipeline::Engine::Options{.limits = setup.limits, .eos_token_ids = {ByteCodec::kEos}},
      ToyStage(model_,
               {.slots = std::max(64, 2 * setup.limits.max_sequences),
                .max_tokens = 1024,
                .steps_in_flight = 2},
               setup.rules),
      engine_metrics_);
  auto bundle = std::make_unique<edge::ServedBundle>();
  bundle->name = "toy";
  bundle->space_id = "space";
  bundle->dimension = 2;
  bundle->logit_scale = 10;
  bundle->device = "cpu";
  bundle->model = std::move(model);
  Serve(std::move(bundle), setup.service);
}

void ServiceFixture::Serve(std::shared_ptr<const edge::ServedBundle> bundle,
                           const edge::ServiceOptions& options) {
  TearDown();
  service_ = std::make_unique<edge::DecoderService>(options, edge_metrics_);
  service_->Serve(std::move(bundle));
  auto server = rpc::Server::Start(
      {.listen = {"127.0.0.1:0"}, .drain_timeout = absl::Milliseconds(100)}, {service_.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  stub_ = v1::Decoder::NewStub(rpc::MakeChannel(server_->addresses()[0], 64 << 20));
}

void ServiceFixture::TearDown() {
  stub_.reset();
  server_.reset();
  service_.reset();
}

v1::DecoderGenerateRequest ServiceFixture::Ask(const std::string& text, uint32_t max_tokens) {
  v1::DecoderGenerateRequest request;
  v1::Message* message = request.mutable_request()->add_messages();
  message->set_role(v1::ROLE_USER);
  message->add_parts()->set_text(text);
  request.mutable_request()->mutable_sampling()->set_max_tokens(max_tokens);
  return request;
}

Answer ServiceFixture::Generate(const v1::DecoderGenerateRequest& request, absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  auto reader = stub_->Generate(&context, request);
  return ReadAll(context, *reader);
}

Answer ServiceFixture::ReadAll(grpc::ClientContext& context,
                               grpc::ClientReader<v1::GenerateResponse>& reader) {
  Answer answer;
  v1::GenerateResponse response;
  while (reader.Read(&response)) {
    ++answer.messages;
    answer.usage_was_last = response.has_usage();
    if (response.has_usage()) {
      answer.usage = response.usage();
      continue;
    }
    const v1::TextDelta& delta = response.delta();
    const uint32_t choice = delta.choice();
    EXPECT_EQ(answer.finish.count(choice), 0u) << "a delta after the last one";
    answer.text[choice] += delta.text();
    answer.tokens[choice].insert(answer.tokens[choice].end(), delta.token_ids().begin(),
                                 delta.token_ids().end());
    answer.logprobs[choice].insert(answer.logprobs[choice].end(), delta.logprobs().begin(),
                                   delta.logprobs().end());
    if (delta.finish_reason() != v1::FINISH_REASON_UNSPECIFIED) {
      answer.finish[choice] = delta.finish_reason();
    }
  }
  answer.status = rpc::FromGrpc(reader.Finish());
  for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
    answer.trailers[std::string(key.data(), key.size())] = std::string(value.data(), value.size());
  }
  return answer;
}

std::string ServiceFixture::Expected(const std::string& text, int max_tokens) {
  const std::vector<edge::ChatMessage> messages = {{"user", {text}}};
  std::string expected;
  for (const int32_t token :
       ToyLm::Greedy(model_, *ByteCodec().EncodeChat(messages, false), max_tokens)) {
    if (token < ByteCodec::kEos) {
      expected += static_cast<char>(token);
    }
  }
  return expected;
}

double ServiceFixture::Value(const std::string& metric) {
  const std::string text = "\n" + registry_.Scrape();
  const size_t at = text.find("\n" + metric + " ");
  EXPECT_NE(at, std::string::npos) << metric;
  return at == std::string::npos ? -1 : std::stod(text.substr(at + metric.size() + 2));
}

void ServiceFixture::ExpectNothingLeft() {
  const absl::Time patience = absl::Now() + absl::Seconds(30);
  const auto left = [this] {
    return Value("terminus_decoder_kv_blocks{state=\"used\"}") +
           Value("terminus_decoder_requests") + Value("terminus_decoder_running_sequences") +
           Value("terminus_decoder_waiting_sequences");
  };
  while (left() != 0 && absl::Now() < patience) {
    std::this_thread::yield();
  }
  EXPECT_EQ(left(), 0) << registry_.Scrape();
}

}  // namespace terminus::services::decoder::testing
