#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "common/collective/communicator.h"
#include "models/decoder/stage_links.h"

namespace terminus::models::decoder {

// A stage's links over a communicator in host memory. Owns what is sent until it is sent.
class CollectiveLinks final : public StageLinks {
 public:
  // Ranks of the communicator; -1: there is none. `first` and `last` are the first and last stage.
  struct Neighbours {
    int previous = -1;
    int next = -1;
    int first = -1;
    int last = -1;
  };

  // `patience` is how long a send or a receive may take. At most `max_sends` messages are under
  // way; a further one waits for the oldest.
  CollectiveLinks(std::shared_ptr<collective::Communicator> communicator, Neighbours neighbours,
                  absl::Duration patience, int max_sends);

  absl::Status ReceiveHidden(absl::Span<float> hidden) override;
  absl::Status SendHidden(absl::Span<const float> hidden) override;
  absl::Status ReceiveTokens(absl::Span<int32_t> tokens) override;
  absl::Status SendTokens(absl::Span<const int32_t> tokens) override;

 private:
  struct Sending {
    std::vector<char> bytes;
    std::unique_ptr<collective::Work> work;
  };

  absl::Status Send(collective::Buffer buffer, int to);
  absl::Status Receive(const collective::Buffer& buffer, int from);

  const std::shared_ptr<collective::Communicator> communicator_;
  const Neighbours neighbours_;
  const absl::Duration patience_;
  const size_t max_sends_;
  std::deque<Sending> sending_;  // Oldest first.
};

}  // namespace terminus::models::decoder
