#include "services/router/testing/fake_decoder.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/match.h"
#include "common/base/check.h"

namespace terminus::services::router::testing {
namespace {

constexpr const char* kWords[] = {"one ", "two ", "three"};

grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

float FirstOfRow(const v1::Tensor& matrix, int row) {
  float value = 0;
  std::memcpy(&value, matrix.data().data() + row * matrix.shape(1) * sizeof(float), sizeof(float));
  return value;
}

}  // namespace

class FakeDecoder::Stream final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  explicit Stream(FakeDecoder* decoder) : decoder_(decoder) { Next(); }

  void OnWriteDone(bool ok) override {
    if (ok) {
      Next();
    }
  }
  void OnCancel() override {
    {
      base::MutexLock lock(decoder_->mutex_);
      ++decoder_->cancels_;
    }
    decoder_->changed_.NotifyAll();
    if (silent_) {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (sent_ == decoder_->options_.words_before_silence) {
      silent_ = true;
    } else if (sent_ < static_cast<int>(std::size(kWords))) {
      message_.mutable_delta()->set_text(kWords[sent_++]);
      StartWrite(&message_);
    } else if (sent_++ == static_cast<int>(std::size(kWords))) {
      message_.mutable_usage()->set_generated_tokens(3);
      StartWrite(&message_);
    } else {
      Finish(grpc::Status::OK);
    }
  }

  FakeDecoder* const decoder_;
  v1::GenerateResponse message_;
  int sent_ = 0;
  std::atomic<bool> silent_{false};
};

FakeDecoder::FakeDecoder(const std::string& address, const Options& options)
    : options_(options),
      host_(options.space_id, [this](const std::string& space, v1::StageModelResponse* response) {
        *response->mutable_decoder() = Description(space);
      }) {
  auto server = rpc::Server::Start({.listen = {address}, .drain_timeout = absl::ZeroDuration()},
                                   {this, &host_});
  TERMINUS_CHECK(server.ok());
  server_ = *std::move(server);
  server_->SetServing(true);
}

FakeDecoder::~FakeDecoder() { Kill(); }

void FakeDecoder::Kill() { server_.reset(); }

void FakeDecoder::WaitForCancel() {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  base::MutexLock lock(mutex_);
  while (cancels_ == 0) {
    TERMINUS_CHECK(changed_.WaitUntil(mutex_, deadline) || cancels_ > 0);
  }
}

int FakeDecoder::scores() const {
  base::MutexLock lock(mutex_);
  return scores_;
}

grpc::ServerUnaryReactor* FakeDecoder::Describe(grpc::CallbackServerContext* context,
                                                const v1::DecoderDescribeRequest*,
                                                v1::DecoderDescribeResponse* response) {
  *response = Description(host_.space());
  return Done(context);
}

v1::DecoderDescribeResponse FakeDecoder::Description(const std::string& space) const {
  v1::DecoderDescribeResponse description;
  description.set_protocol(1);
  description.set_model("fake");
  description.set_space_id(space);
  // A language model alone makes no vectors.
  description.set_dimension(absl::StartsWith(space, "language") ? 0 : options_.dimension);
  const bool generates = !absl::StartsWith(space, "encoders");
  description.set_generates(generates);
  description.set_max_context(generates ? 128 : 0);
  description.set_device("cpu");
  return description;
}

grpc::ServerWriteReactor<v1::GenerateResponse>* FakeDecoder::Generate(
    grpc::CallbackServerContext*, const v1::DecoderGenerateRequest*) {
  return new Stream(this);
}

grpc::ServerUnaryReactor* FakeDecoder::Tokenize(grpc::CallbackServerContext* context,
                                                const v1::TokenizeRequest* request,
                                                v1::TokenizeResponse* response) {
  for (const char byte : request->text()) {
    response->add_token_ids(static_cast<uint8_t>(byte));
  }
  return Done(context);
}

grpc::ServerUnaryReactor* FakeDecoder::Score(grpc::CallbackServerContext* context,
                                             const v1::DecoderScoreRequest* request,
                                             v1::ScoreResponse* response) {
  {
    base::MutexLock lock(mutex_);
    ++scores_;
  }
  const int rows = static_cast<int>(request->candidates().shape(0));
  for (int row = 0; row < rows; ++row) {
    v1::CandidateScore* score = response->add_scores();
    score->set_index(row);
    score->set_score(FirstOfRow(request->candidates(), row));
    response->add_ranking(row);
  }
  std::stable_sort(response->mutable_ranking()->begin(), response->mutable_ranking()->end(),
                   [&](uint32_t a, uint32_t b) {
                     return response->scores(a).score() > response->scores(b).score();
                   });
  return Done(context);
}

grpc::ServerUnaryReactor* FakeDecoder::Recognize(grpc::CallbackServerContext* context,
                                                 const v1::DecoderRecognizeRequest* request,
                                                 v1::RecognizeResponse* response) {
  for (int i = 0; i < request->labels_size(); ++i) {
    v1::RecognizedAction* action = response->add_actions();
    action->set_label(request->labels(i));
    action->set_score(1.0f / static_cast<float>(1 + i));
    action->set_end_us(request->frame_us(request->frame_us_size() - 1));
  }
  return Done(context);
}

}  // namespace terminus::services::router::testing
