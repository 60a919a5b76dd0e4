#include "tools/loadgen/generate_burst.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/mutex.h"
#include "terminus/v1/generation.grpc.pb.h"

namespace terminus::tools::loadgen {
namespace {

// The contents of one stream.
struct Stream {
  absl::Duration first_token;
  bool has_token = false;
  v1::Usage usage;
  bool has_usage = false;
};

// Gathers the ends of all calls. Thread-safe.
class Ends {
 public:
  explicit Ends(size_t calls) : calls_(calls), left_(calls) {}

  void Add(const grpc::Status& status, const Stream& stream) {
    base::MutexLock lock(mutex_);
    if (!status.ok()) {
      AddFailure(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    } else if (!stream.has_usage) {
      AddFailure(absl::StatusCode::kInternal, "the stream ended without its usage");
    } else {
      report_.prompt_tokens += stream.usage.prompt_tokens();
      report_.cached_prompt_tokens += stream.usage.cached_prompt_tokens();
      report_.generated_tokens += stream.usage.generated_tokens();
      if (stream.has_token) {
        report_.first_token.Add(stream.first_token);
      }
    }
    --left_;
    changed_.NotifyAll();
  }

  absl::StatusOr<GenerateReport> Wait(absl::Time start) {
    base::MutexLock lock(mutex_);
    while (left_ > 0) {
      changed_.Wait(mutex_);
    }
    report_.took = absl::Now() - start;
    if (failures_ > 0) {
      return absl::Status(first_failure_.code(),
                          absl::StrFormat("%d of %d calls failed, the first: %s", failures_, calls_,
                                          std::string(first_failure_.message())));
    }
    return std::move(report_);
  }

 private:
  void AddFailure(absl::StatusCode code, const std::string& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (failures_++ == 0) {
      first_failure_ = absl::Status(code, message);
    }
  }

  const size_t calls_;
  base::Mutex mutex_;
  base::CondVar changed_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status first_failure_ ABSL_GUARDED_BY(mutex_);
  GenerateReport report_ ABSL_GUARDED_BY(mutex_);
};

// One call. gRPC calls it on its own threads, one at a time; OnDone comes last.
class Call final : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  explicit Call(Ends& ends) : ends_(ends) {}

  void Start(v1::Generation::Stub& stub, const v1::GenerateRequest& request, absl::Time deadline) {
    context_.set_deadline(absl::ToChronoTime(deadline));
    start_ = absl::Now();
    stub.async()->Generate(&context_, &request, this);
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    if (!stream_.has_token && response_.delta().token_ids_size() > 0) {
      stream_.has_token = true;
      stream_.first_token = absl::Now() - start_;
    }
    if (response_.has_usage()) {
      stream_.has_usage = true;
      stream_.usage = response_.usage();
    }
    StartRead(&response_);
  }

  // The burst may be over, and this object gone, as soon as the end has been added.
  void OnDone(const grpc::Status& status) override { ends_.Add(status, stream_); }

 private:
  Ends& ends_;
  grpc::ClientContext context_;
  v1::GenerateResponse response_;
  absl::Time start_;
  Stream stream_;
};

}  // namespace

absl::StatusOr<GenerateReport> RunGenerateBurst(const GenerateBurst& burst) {
  TERMINUS_CHECK(!burst.channels.empty() && !burst.requests.empty());
  std::vector<std::unique_ptr<v1::Generation::Stub>> stubs;
  for (const auto& channel : burst.channels) {
    stubs.push_back(v1::Generation::NewStub(channel));
  }
  Ends ends(burst.requests.size());
  std::vector<std::unique_ptr<Call>> calls;
  for (size_t i = 0; i < burst.requests.size(); ++i) {
    calls.push_back(std::make_unique<Call>(ends));
  }
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i]->Start(*stubs[i % stubs.size()], burst.requests[i], start + burst.timeout);
  }
  return ends.Wait(start);
}

}  // namespace terminus::tools::loadgen
