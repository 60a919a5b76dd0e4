#include "common/collective/socket/testing.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/collective/socket/socket.h"

namespace terminus::collective::socket {

std::string FreeTcpAddress() {
  const auto listener = Listener::Open("127.0.0.1:0");
  TERMINUS_CHECK(listener.ok());
  return listener->address();
}

std::string FreeUnixAddress() {
  static std::atomic<int> count = 0;
  return absl::StrCat("unix:", std::filesystem::temp_directory_path().string(),
                      "/terminus-collective-", getpid(), "-", count++);
}

absl::StatusOr<std::vector<std::unique_ptr<Communicator>>> CreateAll(
    const Options& options,
    const std::function<absl::StatusOr<std::unique_ptr<Communicator>>(const Options&, absl::Time)>&
        create) {
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  std::vector<absl::StatusOr<std::unique_ptr<Communicator>>> results(options.size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < options.size; ++rank) {
    threads.emplace_back([&, rank] {
      Options own = options;
      own.rank = rank;
      results[rank] = create(own, deadline);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (auto& result : results) {
    if (!result.ok()) {
      return result.status();
    }
    ranks.push_back(*std::move(result));
  }
  return ranks;
}

}  // namespace terminus::collective::socket
