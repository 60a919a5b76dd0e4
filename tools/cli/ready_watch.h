#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/base/mutex.h"
#include "terminus/v1/cluster.grpc.pb.h"

namespace terminus::tools::cli {

// Asks the router for its status again and again, on a thread of its own, until destroyed.
class ReadyWatch {
 public:
  explicit ReadyWatch(const std::string& address);
  ~ReadyWatch();
  ReadyWatch(const ReadyWatch&) = delete;
  ReadyWatch& operator=(const ReadyWatch&) = delete;

  // The last answer; nothing while the router does not answer.
  std::optional<v1::GetStatusResponse> Latest() const;

 private:
  void Run();

  const std::unique_ptr<v1::Cluster::StubInterface> stub_;
  mutable base::Mutex mutex_;
  base::CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<v1::GetStatusResponse> latest_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace terminus::tools::cli
