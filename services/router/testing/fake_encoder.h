#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/rpc/server.h"
#include "services/router/testing/fake_model_host.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::services::router::testing {

// An encoder process inside a test: serves the Encoder service on a Unix socket, and holds what it
// is sent until it is told to go on. Thread-safe.
//
// Its vectors are [n, 1, 1, 1], n the item's bytes. What begins with "bad", or is empty, fails by
// itself. One of videos samples 8 frames by default.
// A batch of another space than its own is answered NOT_FOUND. Its model can be changed, see
// FakeModelHost: "/nothing", and what begins with "/language", has nothing for this service.
class FakeEncoder final : public v1::Encoder::CallbackService {
 public:
  struct Options {
    v1::Modality modality = v1::MODALITY_TEXT;
    // Empty: it is idle.
    std::string space_id = "space";
    uint32_t dimension = 4;
    uint32_t max_in_flight = 1;
    // False: what is sent is held until Answer or Open.
    bool open = true;
    // Still loading: Describe says so.
    bool loading = false;
    // What it says it is loaded with.
    std::string model = "fake";
    // Off the right number of results.
    int results_off_by = 0;
  };

  // What was sent in one EncodeBatch.
  struct Seen {
    std::vector<std::string> items;
    std::string space_id;
    std::string request_id;
    std::string traceparent;
  };

  // Starts at once.
  FakeEncoder(const std::string& address, const Options& options);
  ~FakeEncoder() override;

  // Ends as a killed process does: what is held fails, and the connection closes.
  void Kill();
  // Ends the loading.
  void Load();
  void SetServing(bool serving);

  // Answers all that is held, and all that comes from now on.
  void Open();
  // Holds what comes from now on.
  void Close();
  // Waits until something is held, and answers the oldest.
  void Answer();
  // As Answer, but the batch fails.
  void Fail(const grpc::Status& status);

  // Wait for an event, and fail the process when it does not come.
  void WaitForBatches(size_t count);
  void WaitForCancels(int count);

  std::vector<Seen> seen() const;
  // The space that it serves; empty: none.
  std::string space() const;
  // Holds Stage calls, or lets them go on.
  void HoldStage(bool hold);
  // Waits for a Stage call.
  void WaitForStages(int count);

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DescribeRequest* request,
                                     v1::DescribeResponse* response) override;
  grpc::ServerUnaryReactor* EncodeBatch(grpc::CallbackServerContext* context,
                                        const v1::EncodeBatchRequest* request,
                                        v1::EncodeBatchResponse* response) override;

 private:
  class Call;

  void OnCancelled(Call* call);
  void WaitUntil(const std::function<bool()>& condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Call* TakeOldest();
  void Stage(const std::string& space, v1::StageModelResponse* response) const;
  v1::DescribeResponse Description(const std::string& space) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  Options options_ ABSL_GUARDED_BY(mutex_);
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
  int cancels_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Call*> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);
  FakeModelHost host_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace terminus::services::router::testing
