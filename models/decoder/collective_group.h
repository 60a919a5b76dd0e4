#pragma once

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "common/collective/communicator.h"
#include "models/decoder/tensor_group.h"

namespace terminus::models::decoder {

// A tensor group whose ranks are a communicator's world, in host memory. Its errors are those of
// the communicator. Abort of the communicator, from any thread, ends a call that waits.
class CollectiveGroup : public TensorGroup {
 public:
  struct Options {
    // How long each call may take: the slowest rank may be so far behind the fastest.
    absl::Duration patience = absl::Seconds(30);
  };

  CollectiveGroup(std::shared_ptr<collective::Communicator> communicator, const Options& options)
      : communicator_(std::move(communicator)), options_(options) {}

  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }

  absl::Status AllReduceSum(float* data, int64_t count) override;
  absl::Status AllGather(const float* part, int64_t count, float* whole) override;

 private:
  const std::shared_ptr<collective::Communicator> communicator_;
  const Options options_;
};

}  // namespace terminus::models::decoder
