#include "tools/cli/bulk.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"

namespace terminus::tools::cli {
namespace {

using Load = absl::FunctionRef<absl::StatusOr<v1::Content>(size_t)>;

bool WorthRetrying(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

BulkItem ReadResult(const v1::EmbedResult& result) {
  BulkItem item{.status = rpc::FromProto(result.status()), .truncated = result.truncated()};
  if (item.status.ok()) {
    absl::StatusOr<std::vector<float>> vector = tensor::ToFloats(result.vector());
    item.status = vector.status();
    item.vector = std::move(vector).value_or(std::vector<float>());
  }
  return item;
}

// One stream: a thread that writes, one that reads, and the caller's, which watches both.
class Round {
 public:
  Round(v1::Embedding::StubInterface& stub, const std::vector<size_t>& pending, Load load,
        const BulkOptions& options, BulkResult& result)
      : pending_(pending), load_(load), options_(options), result_(result) {
    stream_ = stub.EmbedStream(&context_);
  }

  // Returns how the stream ended, and in `done` how many items have their answer.
  absl::Status Run(absl::FunctionRef<void(size_t)> progress, size_t& done) {
    std::thread writer([this] { WriteAll(); });
    std::thread reader([this] { ReadAll(); });
    const bool stalled = !Watch(progress);
    if (stalled) {
      context_.TryCancel();
    }
    reader.join();
    {
      base::MutexLock lock(mutex_);
      ended_ = true;
      done = done_;
    }
    changed_.NotifyAll();
    writer.join();
    const grpc::Status status = stream_->Finish();
    if (stalled) {
      return absl::DeadlineExceededError(absl::StrCat(
          "the stream stood still for ", absl::FormatDuration(options_.stall_timeout)));
    }
    return rpc::FromGrpc(status);
  }

 private:
  // False when nothing moved for the stall timeout.
  bool Watch(absl::FunctionRef<void(size_t)> progress) {
    size_t told = 0;
    while (true) {
      size_t done;
      {
        base::MutexLock lock(mutex_);
        while (done_ == told && !ended_) {
          if (!changed_.WaitUntil(mutex_, last_move_ + options_.stall_timeout) &&
              absl::Now() >= last_move_ + options_.stall_timeout) {
            return false;
          }
        }
        done = done_;
        if (ended_) {
          return true;
        }
      }
      told = done;
      progress(done);
    }
  }

  void WriteAll() {
    for (const size_t index : pending_) {
      absl::StatusOr<v1::Content> content = load_(index);
      if (!content.ok()) {
        base::MutexLock lock(mutex_);
        result_.items[index].status = content.status();
        Done();
        continue;
      }
      const int64_t bytes = static_cast<int64_t>(content->ByteSizeLong());
      if (!WaitForRoom(index, bytes)) {
        return;
      }
      v1::EmbedStreamRequest request;
      request.set_correlation_id(index);
      *request.mutable_item() = *std::move(content);
      if (!stream_->Write(request)) {
        return;
      }
    }
    stream_->WritesDone();
  }

  // Takes the item into flight, or returns false when the stream is over.
  bool WaitForRoom(size_t index, int64_t bytes) {
    base::MutexLock lock(mutex_);
    while (!ended_ && !in_flight_.empty() &&
           (in_flight_.size() >= static_cast<size_t>(options_.max_items_in_flight) ||
            bytes_in_flight_ + bytes > options_.max_bytes_in_flight)) {
      changed_.Wait(mutex_);  // Ends at the latest when Run gives the stream up.
    }
    if (ended_) {
      return false;
    }
    in_flight_.emplace(index, bytes);
    bytes_in_flight_ += bytes;
    last_move_ = absl::Now();
    return true;
  }

  void ReadAll() {
    v1::EmbedStreamResponse response;
    while (stream_->Read(&response)) {
      BulkItem item = ReadResult(response.result());
      base::MutexLock lock(mutex_);
      const auto found = in_flight_.find(response.correlation_id());
      if (found == in_flight_.end()) {
        continue;  // Nothing we asked for, or not any more.
      }
      bytes_in_flight_ -= found->second;
      in_flight_.erase(found);
      result_.items[response.correlation_id()] = std::move(item);
      result_.space_id = response.space_id();
      Done();
    }
    {
      base::MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.NotifyAll();
  }

  void Done() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++done_;
    last_move_ = absl::Now();
    changed_.NotifyAll();
  }

  const std::vector<size_t>& pending_;
  const Load load_;
  const BulkOptions& options_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriterInterface<v1::EmbedStreamRequest, v1::EmbedStreamResponse>>
      stream_;
  base::Mutex mutex_;
  base::CondVar changed_;
  BulkResult& result_ ABSL_GUARDED_BY(mutex_);
  // Bytes by item.
  std::unordered_map<uint64_t, int64_t> in_flight_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_move_ ABSL_GUARDED_BY(mutex_) = absl::Now();
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<BulkResult> EmbedBulk(v1::Embedding::StubInterface& stub, size_t count, Load load,
                                     const BulkOptions& options,
                                     absl::FunctionRef<void(size_t done)> progress) {
  BulkResult result;
  result.items.resize(count);
  std::vector<size_t> pending(count);
  for (size_t i = 0; i < count; ++i) {
    pending[i] = i;
  }
  for (int round = 1; !pending.empty(); ++round) {
    const size_t before = count - pending.size();
    for (const size_t index : pending) {
      result.items[index] = BulkItem();
    }
    size_t done = 0;
    const absl::Status stream =
        Round(stub, pending, load, options, result)
            .Run([&](size_t in_round) { progress(before + in_round); }, done);
    std::vector<size_t> again;
    for (const size_t index : pending) {
      const absl::Status& status = result.items[index].status;
      if (WorthRetrying(status) || absl::IsUnknown(status)) {
        again.push_back(index);
      }
    }
    if (!stream.ok() && done == 0 && before == 0) {
      return stream;
    }
    for (const size_t index : again) {
      if (!stream.ok() && absl::IsUnknown(result.items[index].status)) {
        result.items[index].status = stream;
      }
    }
    progress(count - again.size());
    pending = std::move(again);
    if (round >= options.max_rounds) {
      break;
    }
    if (!pending.empty()) {
      absl::SleepFor(options.retry_delay);
    }
  }
  return result;
}

}  // namespace terminus::tools::cli
