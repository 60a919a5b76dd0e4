#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/rpc/server.h"
#include "services/router/testing/fake_model_host.h"
#include "terminus/v1/decoder.grpc.pb.h"

namespace terminus::services::router::testing {

// A decoder process inside a test, over a Unix socket. Thread-safe.
//
// It scores a candidate by the first element of its vector, best first; recognises the labels in
// their order with scores 1, 1/2, 1/3 …; generates the words "one two three" and then the usage. A
// space whose name begins with "language" is that of a language model alone, one that begins with
// "encoders" has no language model. Its model can be changed, see FakeModelHost.
class FakeDecoder final : public v1::Decoder::CallbackService {
 public:
  struct Options {
    std::string space_id = "space";
    uint32_t dimension = 4;
    // Generates so many words and then nothing more until the client leaves; -1: all, and ends.
    int words_before_silence = -1;
  };

  FakeDecoder(const std::string& address, const Options& options);
  ~FakeDecoder() override;

  // Ends as a killed process does.
  void Kill();
  // Waits until a stream was cancelled; fails the process when none is.
  void WaitForCancel();

  int scores() const;
  // The space that it serves.
  std::string space() const { return host_.space(); }

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DecoderDescribeRequest* request,
                                     v1::DecoderDescribeResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::DecoderGenerateRequest* request) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const v1::DecoderScoreRequest* request,
                                  v1::ScoreResponse* response) override;
  grpc::ServerUnaryReactor* Recognize(grpc::CallbackServerContext* context,
                                      const v1::DecoderRecognizeRequest* request,
                                      v1::RecognizeResponse* response) override;

 private:
  class Stream;

  v1::DecoderDescribeResponse Description(const std::string& space) const;

  const Options options_;
  FakeModelHost host_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  int cancels_ ABSL_GUARDED_BY(mutex_) = 0;
  int scores_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace terminus::services::router::testing
