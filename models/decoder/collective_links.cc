#include "models/decoder/collective_links.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace terminus::models::decoder {
namespace {

template <class T>
collective::Buffer BufferOf(T* data, size_t count, weights::DType dtype) {
  return {.data = const_cast<std::remove_const_t<T>*>(data),
          .count = static_cast<int64_t>(count),
          .dtype = dtype};
}

}  // namespace

CollectiveLinks::CollectiveLinks(std::shared_ptr<collective::Communicator> communicator,
                                 Neighbours neighbours, absl::Duration patience, int max_sends)
    : communicator_(std::move(communicator)),
      neighbours_(neighbours),
      patience_(patience),
      max_sends_(static_cast<size_t>(max_sends)) {}

absl::Status CollectiveLinks::Send(collective::Buffer buffer, int to) {
  if (sending_.size() == max_sends_) {
    TERMINUS_RETURN_IF_ERROR(sending_.front().work->Wait(absl::Now() + patience_));
    sending_.pop_front();
  }
  Sending& sending = sending_.emplace_back();
  const auto* const data = static_cast<const char*>(buffer.data);
  sending.bytes.assign(data, data + buffer.bytes());
  buffer.data = sending.bytes.data();
  TERMINUS_ASSIGN_OR_RETURN(sending.work, communicator_->Send(buffer, to));
  return absl::OkStatus();
}

absl::Status CollectiveLinks::Receive(const collective::Buffer& buffer, int from) {
  TERMINUS_ASSIGN_OR_RETURN(const auto work, communicator_->Recv(buffer, from));
  return work->Wait(absl::Now() + patience_);
}

absl::Status CollectiveLinks::ReceiveHidden(absl::Span<float> hidden) {
  return Receive(BufferOf(hidden.data(), hidden.size(), weights::DType::kFloat32),
                 neighbours_.previous);
}

absl::Status CollectiveLinks::SendHidden(absl::Span<const float> hidden) {
  return Send(BufferOf(hidden.data(), hidden.size(), weights::DType::kFloat32), neighbours_.next);
}

absl::Status CollectiveLinks::ReceiveTokens(absl::Span<int32_t> tokens) {
  return Receive(BufferOf(tokens.data(), tokens.size(), weights::DType::kInt32), neighbours_.last);
}

absl::Status CollectiveLinks::SendTokens(absl::Span<const int32_t> tokens) {
  return Send(BufferOf(tokens.data(), tokens.size(), weights::DType::kInt32), neighbours_.first);
}

}  // namespace terminus::models::decoder
