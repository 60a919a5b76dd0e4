#include "services/router/testing/fake_encoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/rpc/status.h"

namespace terminus::services::router::testing {
namespace {

const absl::Duration kPatience = absl::Seconds(30);

std::string BytesOf(const v1::Content& content) {
  return content.has_text()    ? content.text()
         : content.has_image() ? content.image()
                               : content.video().data();
}

void Encode(const v1::EncodeItem& item, uint32_t dimension, v1::EncodeResult* result) {
  const std::string bytes = BytesOf(item.content());
  if (absl::StartsWith(bytes, "bad")) {
    rpc::ToProto(base::FieldError(base::kReasonTextTooLong, "items[0].text", "it is bad"),
                 result->mutable_status());
    return;
  }
  if (bytes.empty()) {
    rpc::ToProto(base::FieldError(base::kReasonEmptyItem, "items[0].text", "it has no tokens"),
                 result->mutable_status());
    return;
  }
  std::vector<float> values(dimension, 1.0f);
  values[0] = static_cast<float>(bytes.size());
  v1::Tensor* vector = result->mutable_vector();
  vector->set_dtype(v1::DATA_TYPE_FLOAT32);
  vector->add_shape(dimension);
  vector->set_data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  result->mutable_cost()->set_tokens(static_cast<uint32_t>(bytes.size()));
}

std::string Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  return found == context.client_metadata().end()
             ? ""
             : std::string(found->second.data(), found->second.size());
}

}  // namespace

class FakeEncoder::Call final : public grpc::ServerUnaryReactor {
 public:
  Call(FakeEncoder* encoder, const v1::EncodeBatchRequest* request,
       v1::EncodeBatchResponse* response)
      : encoder_(encoder), request_(request), response_(response) {}

  void Answer(const Options& options) {
    for (int i = 0; i < request_->items_size() + options.results_off_by; ++i) {
      Encode(request_->items(std::min(i, request_->items_size() - 1)), options.dimension,
             response_->add_results());
    }
    response_->set_preprocess_us(1500);
    response_->set_compute_us(2500);
    response_->set_space_id(request_->space_id());
    Finish(grpc::Status::OK);
  }

  void OnCancel() override { encoder_->OnCancelled(this); }
  void OnDone() override { delete this; }

 private:
  FakeEncoder* const encoder_;
  const v1::EncodeBatchRequest* const request_;
  v1::EncodeBatchResponse* const response_;
};

FakeEncoder::FakeEncoder(const std::string& address, const Options& options)
    : options_(options),
      host_(options.space_id, [this](const std::string& space, v1::StageModelResponse* response) {
        Stage(space, response);
      }) {
  auto server = rpc::Server::Start({.listen = {address}, .drain_timeout = absl::ZeroDuration()},
                                   {this, &host_});
  TERMINUS_CHECK(server.ok());
  server_ = *std::move(server);
  server_->SetServing(!options.loading);
}

FakeEncoder::~FakeEncoder() { Kill(); }

void FakeEncoder::Kill() {
  HoldStage(false);
  std::deque<Call*> held;
  {
    base::MutexLock lock(mutex_);
    dead_ = true;
    held = std::exchange(held_, {});
  }
  for (Call* call : held) {
    call->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"));
  }
  server_.reset();
}

void FakeEncoder::Load() {
  {
    base::MutexLock lock(mutex_);
    options_.loading = false;
  }
  server_->SetServing(true);
}

void FakeEncoder::SetServing(bool serving) { server_->SetServing(serving); }

void FakeEncoder::Open() {
  std::deque<Call*> held;
  Options options;
  {
    base::MutexLock lock(mutex_);
    options_.open = true;
    options = options_;
    held = std::exchange(held_, {});
  }
  for (Call* call : held) {
    call->Answer(options);
  }
}

void FakeEncoder::Close() {
  base::MutexLock lock(mutex_);
  options_.open = false;
}

FakeEncoder::Call* FakeEncoder::TakeOldest() {
  base::MutexLock lock(mutex_);
  WaitUntil([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !held_.empty(); });
  Call* call = held_.front();
  held_.pop_front();
  return call;
}

void FakeEncoder::Answer() {
  Call* call = TakeOldest();
  Options options;
  {
    base::MutexLock lock(mutex_);
    options = options_;
  }
  call->Answer(options);
}

void FakeEncoder::Fail(const grpc::Status& status) { TakeOldest()->Finish(status); }

void FakeEncoder::WaitForBatches(size_t count) {
  base::MutexLock lock(mutex_);
  WaitUntil([=, this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return seen_.size() >= count; });
}

void FakeEncoder::WaitForCancels(int count) {
  base::MutexLock lock(mutex_);
  WaitUntil([=, this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return cancels_ >= count; });
}

std::string FakeEncoder::space() const { return host_.space(); }

void FakeEncoder::HoldStage(bool hold) { host_.HoldStage(hold); }

void FakeEncoder::WaitForStages(int count) { host_.WaitForStages(count); }

std::vector<FakeEncoder::Seen> FakeEncoder::seen() const {
  base::MutexLock lock(mutex_);
  return seen_;
}

void FakeEncoder::WaitUntil(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!condition()) {
    TERMINUS_CHECK(changed_.WaitUntil(mutex_, deadline) || condition());
  }
}

void FakeEncoder::OnCancelled(Call* call) {
  {
    base::MutexLock lock(mutex_);
    ++cancels_;
    const auto found = std::find(held_.begin(), held_.end(), call);
    if (found == held_.end()) {
      call = nullptr;
    } else {
      held_.erase(found);
    }
  }
  changed_.NotifyAll();
  if (call != nullptr) {
    call->Finish(grpc::Status::CANCELLED);
  }
}

grpc::ServerUnaryReactor* FakeEncoder::Describe(grpc::CallbackServerContext* context,
                                                const v1::DescribeRequest*,
                                                v1::DescribeResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  base::MutexLock lock(mutex_);
  if (options_.loading) {
    reactor->Finish(rpc::ToGrpc(base::MakeError(absl::StatusCode::kUnavailable,
                                                base::kReasonNoReplica, "the model is loading")));
    return reactor;
  }
  *response = Description(host_.space());
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

void FakeEncoder::Stage(const std::string& space, v1::StageModelResponse* response) const {
  // A name such as "language-model" is of a folder without an encoder.
  if (space == "nothing" || absl::StartsWith(space, "language")) {
    response->set_absent(true);
    return;
  }
  base::MutexLock lock(mutex_);
  *response->mutable_encoder() = Description(space);
}

v1::DescribeResponse FakeEncoder::Description(const std::string& space) const {
  v1::DescribeResponse description;
  description.set_protocol(1);
  if (space.empty()) {
    description.set_idle(true);
    return description;
  }
  description.set_model(options_.model);
  description.set_modality(options_.modality);
  description.set_space_id(space);
  description.set_dimension(options_.dimension);
  description.set_max_tokens(256);
  description.add_prompts("query");
  description.set_default_frames(options_.modality == v1::MODALITY_VIDEO ? 8 : 0);
  description.set_max_in_flight(options_.max_in_flight);
  description.set_device("cpu");
  return description;
}

grpc::ServerUnaryReactor* FakeEncoder::EncodeBatch(grpc::CallbackServerContext* context,
                                                   const v1::EncodeBatchRequest* request,
                                                   v1::EncodeBatchResponse* response) {
  auto* call = new Call(this, request, response);
  Seen seen;
  for (const v1::EncodeItem& item : request->items()) {
    seen.items.push_back(BytesOf(item.content()));
  }
  seen.space_id = request->space_id();
  seen.request_id = Metadata(*context, "x-request-id");
  seen.traceparent = Metadata(*context, "traceparent");
  Options options;
  bool dead = false;
  bool known = false;
  {
    base::MutexLock lock(mutex_);
    seen_.push_back(std::move(seen));
    options = options_;
    dead = dead_;
    known = dead || host_.Answers(request->space_id());
    if (!dead && !options.open && known) {
      held_.push_back(call);
    }
  }
  changed_.NotifyAll();
  if (!known) {
    call->Finish(rpc::ToGrpc(base::MakeError(absl::StatusCode::kNotFound,
                                             base::kReasonModelNotLoaded, "another space")));
  } else if (dead) {
    call->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"));
  } else if (options.open) {
    call->Answer(options);
  }
  return call;
}

}  // namespace terminus::services::router::testing
