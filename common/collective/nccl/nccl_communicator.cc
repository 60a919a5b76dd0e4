#include "common/collective/nccl/nccl_communicator.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/mutex.h"
#include "common/base/status_macros.h"
#include "common/collective/nccl/nccl_api.h"
#include "common/gpu/library.h"

namespace terminus::collective::nccl {
namespace {

using weights::DType;

// The first looks follow each other at once, since most waits are short; the rest after a pause.
constexpr int kEagerLooks = 1000;
constexpr absl::Duration kPause = absl::Microseconds(20);
// How often a rank that waits for nothing looks whether the others still live.
constexpr absl::Duration kWatchInterval = absl::Milliseconds(50);
// A rank that leaves waits for the others to leave too; NCCL's own end needs them all.
constexpr absl::Duration kLeavePatience = absl::Seconds(5);
// The first message between two ranks connects them, which takes both.
constexpr absl::Duration kEnterPatience = absl::Minutes(1);

absl::StatusOr<const TerminusNcclApi*> LoadNccl() {
  return gpu::FindTableAs<TerminusNcclApi>("terminus_nccl_api", TERMINUS_NCCL_API_VERSION);
}

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(const Options& options, const TerminusNcclApi& nccl, const TerminusGpuApi& gpu,
                   std::unique_ptr<Communicator> control)
      : nccl_(nccl), gpu_(gpu), options_(options), control_(std::move(control)) {}

  ~NcclCommunicator() override {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
    }
    stop_changed_.NotifyAll();
    if (watcher_.joinable()) {
      watcher_.join();
    }
    Leave();
    Release(finish_event_);
  }

  absl::Status Connect(absl::Time deadline);

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }
  absl::StatusOr<std::unique_ptr<Work>> Send(const Buffer& buffer, int to) override;
  absl::StatusOr<std::unique_ptr<Work>> Recv(const Buffer& buffer, int from) override;
  absl::Status SendRecv(const Buffer& send, int to, const Buffer& recv, int from,
                        absl::Time deadline) override;
  absl::Status AllReduceSum(const Buffer& buffer, absl::Time deadline) override;
  absl::Status Broadcast(const Buffer& buffer, int root, absl::Time deadline) override;
  absl::Status AllGather(const Buffer& part, const Buffer& whole, absl::Time deadline) override;
  absl::Status Barrier(absl::Time deadline) override;
  absl::Status Finish(void* stream, absl::Time deadline) override;
  void Abort(absl::string_view why) override {
    Break(absl::CancelledError(absl::StrCat("rank ", rank(), " was aborted: ", why))).IgnoreError();
  }

 private:
  class StreamWork;
  friend class StreamWork;

  absl::Status Check(const char* name, const Buffer& buffer) const {
    return CheckBuffer(name, buffer, Memory::kCuda, options_.max_message_bytes);
  }
  // Makes one call of NCCL, `call(communicator)`, and waits until it is in its stream.
  absl::Status Enqueue(const char* name, absl::Time deadline, absl::FunctionRef<int(void*)> call);
  absl::StatusOr<std::unique_ptr<Work>> WorkAfter(void* stream);
  absl::Status Record(void*& event, void* stream);
  // Looks at `look` (0, not yet, or an error of `text`) until it is done.
  absl::Status WaitFor(const std::string& what, absl::Time deadline, absl::FunctionRef<int()> look,
                       absl::FunctionRef<std::string(int)> text);
  absl::Status WaitForEvent(void* event, absl::Time deadline);
  std::string NcclText(int result) {
    base::MutexLock lock(mutex_);
    return nccl_.error_text(result, communicator_);
  }
  // The state of NCCL, as `nccl_.state`; 0 once it is broken, for which there is `state`.
  int LookAtNccl() {
    base::MutexLock lock(mutex_);
    return communicator_ == nullptr ? 0 : nccl_.state(communicator_);
  }
  // OK, or what it broke with; breaks if another rank is gone.
  absl::Status State();
  absl::Status Break(const absl::Status& why);
  void Watch();
  void Leave();
  void Release(void* event) {
    if (event != nullptr) {
      gpu_.destroy_event(event);
    }
  }

  const TerminusNcclApi& nccl_;
  const TerminusGpuApi& gpu_;
  const Options options_;
  const std::unique_ptr<Communicator> control_;
  // Used by the thread that issues operations only.
  void* finish_event_ = nullptr;

  base::Mutex mutex_;
  base::CondVar stop_changed_;
  // Null before Connect and once it is broken.
  void* communicator_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watcher_;
};

// Ends when its event does.
class NcclCommunicator::StreamWork : public Work {
 public:
  StreamWork(NcclCommunicator& owner, void* event) : owner_(owner), event_(event) {}
  ~StreamWork() override { owner_.Release(event_); }
  absl::Status Wait(absl::Time deadline) override { return owner_.WaitForEvent(event_, deadline); }

 private:
  NcclCommunicator& owner_;
  void* const event_;
};

absl::Status NcclCommunicator::Connect(absl::Time deadline) {
  std::vector<uint8_t> id(TERMINUS_NCCL_ID_BYTES);
  if (rank() == 0) {
    if (const int result = nccl_.create_id(id.data()); result != 0) {
      return Break(absl::InternalError(absl::StrCat("NCCL: ", NcclText(result))));
    }
  }
  const Buffer buffer = {
      .data = id.data(), .count = TERMINUS_NCCL_ID_BYTES, .dtype = DType::kUInt8};
  TERMINUS_RETURN_IF_ERROR(control_->Broadcast(buffer, 0, deadline));
  gpu_.set_device(options_.device);
  int result = 0;
  {
    base::MutexLock lock(mutex_);
    result = nccl_.begin(size(), id.data(), rank(), &communicator_);
  }
  if (result > 0) {
    return Break(absl::InternalError(absl::StrCat("NCCL: ", NcclText(result))));
  }
  watcher_ = std::thread([this] { Watch(); });
  return WaitFor(
      "NCCL to connect all ranks", deadline, [&] { return LookAtNccl(); },
      [&](int error) { return absl::StrCat("NCCL: ", NcclText(error)); });
}

absl::Status NcclCommunicator::Enqueue(const char* name, absl::Time deadline,
                                       absl::FunctionRef<int(void*)> call) {
  TERMINUS_RETURN_IF_ERROR(State());
  gpu_.set_device(options_.device);
  int result = 0;
  {
    base::MutexLock lock(mutex_);
    TERMINUS_RETURN_IF_ERROR(why_);
    result = call(communicator_);
  }
  if (result > 0) {
    return Break(absl::InternalError(absl::StrCat(name, ": NCCL: ", NcclText(result))));
  }
  if (result == 0) {
    return absl::OkStatus();
  }
  return WaitFor(
      absl::StrCat(name, " to enter its stream"), deadline, [&] { return LookAtNccl(); },
      [&](int error) { return absl::StrCat("NCCL: ", NcclText(error)); });
}

absl::Status NcclCommunicator::WaitFor(const std::string& what, absl::Time deadline,
                                       absl::FunctionRef<int()> look,
                                       absl::FunctionRef<std::string(int)> text) {
  for (int looks = 0;; ++looks) {
    const int result = look();
    if (result > 0) {
      return Break(absl::InternalError(text(result)));
    }
    // Before success too: once it is broken, streams run on over what was never received.
    TERMINUS_RETURN_IF_ERROR(State());
    if (result == 0) {
      return absl::OkStatus();
    }
    if (absl::Now() >= deadline) {
      return Break(absl::DeadlineExceededError(
          absl::StrCat("rank ", rank(), " waited too long for ", what)));
    }
    if (looks > kEagerLooks) {
      absl::SleepFor(kPause);
    }
  }
}

absl::Status NcclCommunicator::WaitForEvent(void* event, absl::Time deadline) {
  return WaitFor(
      "its stream", deadline, [&] { return gpu_.query_event(event); },
      [&](int error) { return absl::StrCat("CUDA: ", gpu_.error_text(error)); });
}

absl::Status NcclCommunicator::Record(void*& event, void* stream) {
  int error = event == nullptr ? gpu_.create_event(&event) : 0;
  if (error == 0) {
    error = gpu_.record_event(event, stream);
  }
  return error == 0 ? absl::OkStatus()
                    : Break(absl::InternalError(absl::StrCat("CUDA: ", gpu_.error_text(error))));
}

absl::StatusOr<std::unique_ptr<Work>> NcclCommunicator::WorkAfter(void* stream) {
  void* event = nullptr;
  if (absl::Status status = Record(event, stream); !status.ok()) {
    Release(event);
    return status;
  }
  return std::make_unique<StreamWork>(*this, event);
}

absl::StatusOr<std::unique_ptr<Work>> NcclCommunicator::Send(const Buffer& buffer, int to) {
  TERMINUS_RETURN_IF_ERROR(CheckPeer("Send", to, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(Check("Send", buffer));
  TERMINUS_RETURN_IF_ERROR(Enqueue("Send", absl::Now() + kEnterPatience, [&](void* communicator) {
    return nccl_.send(communicator, buffer.data, buffer.bytes(), to, buffer.stream);
  }));
  return WorkAfter(buffer.stream);
}

absl::StatusOr<std::unique_ptr<Work>> NcclCommunicator::Recv(const Buffer& buffer, int from) {
  TERMINUS_RETURN_IF_ERROR(CheckPeer("Recv", from, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(Check("Recv", buffer));
  TERMINUS_RETURN_IF_ERROR(Enqueue("Recv", absl::Now() + kEnterPatience, [&](void* communicator) {
    return nccl_.receive(communicator, buffer.data, buffer.bytes(), from, buffer.stream);
  }));
  return WorkAfter(buffer.stream);
}

absl::Status NcclCommunicator::SendRecv(const Buffer& send, int to, const Buffer& recv, int from,
                                        absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckPeer("SendRecv", to, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(CheckPeer("SendRecv", from, rank(), size()));
  TERMINUS_RETURN_IF_ERROR(Check("SendRecv", send));
  TERMINUS_RETURN_IF_ERROR(Check("SendRecv", recv));
  if (send.stream != recv.stream) {
    return absl::InvalidArgumentError("SendRecv: the buffers are in two streams, expected one");
  }
  return Enqueue("SendRecv", deadline, [&](void* communicator) {
    return nccl_.send_receive(communicator, send.data, send.bytes(), to, recv.data, recv.bytes(),
                              from, send.stream);
  });
}

absl::Status NcclCommunicator::AllReduceSum(const Buffer& buffer, absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckSummable(buffer.dtype));
  TERMINUS_RETURN_IF_ERROR(Check("AllReduceSum", buffer));
  const TerminusNcclType type = buffer.dtype == DType::kInt32     ? TERMINUS_NCCL_INT32
                                : buffer.dtype == DType::kFloat32 ? TERMINUS_NCCL_FLOAT32
                                                                  : TERMINUS_NCCL_BFLOAT16;
  return Enqueue("AllReduceSum", deadline, [&](void* communicator) {
    return nccl_.all_reduce_sum(communicator, buffer.data, static_cast<uint64_t>(buffer.count),
                                type, buffer.stream);
  });
}

absl::Status NcclCommunicator::Broadcast(const Buffer& buffer, int root, absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(CheckRoot(root, size()));
  TERMINUS_RETURN_IF_ERROR(Check("Broadcast", buffer));
  return Enqueue("Broadcast", deadline, [&](void* communicator) {
    return nccl_.broadcast(communicator, buffer.data, buffer.bytes(), root, buffer.stream);
  });
}

absl::Status NcclCommunicator::AllGather(const Buffer& part, const Buffer& whole,
                                         absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(Check("AllGather", part));
  TERMINUS_RETURN_IF_ERROR(CheckWhole(part, whole, size()));
  return Enqueue("AllGather", deadline, [&](void* communicator) {
    return nccl_.all_gather(communicator, part.data, whole.data, part.bytes(), part.stream);
  });
}

absl::Status NcclCommunicator::Barrier(absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(State());
  const absl::Status status = control_->Barrier(deadline);
  return status.ok() ? status : Break(status);
}

absl::Status NcclCommunicator::Finish(void* stream, absl::Time deadline) {
  TERMINUS_RETURN_IF_ERROR(State());
  gpu_.set_device(options_.device);
  TERMINUS_RETURN_IF_ERROR(Record(finish_event_, stream));
  return WaitForEvent(finish_event_, deadline);
}

absl::Status NcclCommunicator::State() {
  {
    base::MutexLock lock(mutex_);
    TERMINUS_RETURN_IF_ERROR(why_);
  }
  const absl::Status others = control_->Finish(nullptr, absl::InfinitePast());
  return others.ok() ? others : Break(others);
}

absl::Status NcclCommunicator::Break(const absl::Status& why) {
  // Tells the others; without effect if it was they who told.
  control_->Abort(why.message());
  base::MutexLock lock(mutex_);
  if (why_.ok()) {
    why_ = why;
    if (communicator_ != nullptr) {
      nccl_.abort(communicator_);
      communicator_ = nullptr;
    }
  }
  return why_;
}

// So that a stream that someone waits for without this class comes to its end too.
void NcclCommunicator::Watch() {
  gpu_.set_device(options_.device);
  while (State().ok()) {
    base::MutexLock lock(mutex_);
    if (!stopping_) {
      stop_changed_.WaitUntil(mutex_, absl::Now() + kWatchInterval);
    }
    if (stopping_) {
      return;
    }
  }
}

void NcclCommunicator::Leave() {
  const absl::Time deadline = absl::Now() + kLeavePatience;
  // Those that still wait for this rank learn by its failure that it is gone.
  Barrier(deadline).IgnoreError();
  base::MutexLock lock(mutex_);
  if (communicator_ == nullptr) {
    return;
  }
  gpu_.set_device(options_.device);
  int result = nccl_.finalize(communicator_);
  while (result == TERMINUS_NCCL_NOT_YET && absl::Now() < deadline) {
    absl::SleepFor(kPause);
    result = nccl_.state(communicator_);
  }
  result == 0 ? nccl_.destroy(communicator_) : nccl_.abort(communicator_);
  communicator_ = nullptr;
}

}  // namespace

absl::Status CheckAvailable(int device) {
  TERMINUS_RETURN_IF_ERROR(LoadNccl().status());
  return gpu::FindDevice(device).status();
}

absl::StatusOr<std::unique_ptr<Communicator>> Create(const Options& options,
                                                     std::unique_ptr<Communicator> control,
                                                     absl::Time deadline) {
  TERMINUS_ASSIGN_OR_RETURN(const TerminusNcclApi* nccl, LoadNccl());
  TERMINUS_ASSIGN_OR_RETURN(const TerminusGpuApi* gpu, gpu::LoadLibrary());
  TERMINUS_RETURN_IF_ERROR(gpu::FindDevice(options.device).status());
  auto communicator = std::make_unique<NcclCommunicator>(options, *nccl, *gpu, std::move(control));
  TERMINUS_RETURN_IF_ERROR(communicator->Connect(deadline));
  return communicator;
}

}  // namespace terminus::collective::nccl
