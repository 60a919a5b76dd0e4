#include "services/decoder/grid/grid.h"

#include <openssl/rand.h>
#include <poll.h>

#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace terminus::services::decoder::grid {
namespace {

using collective::socket::Fd;
using collective::socket::Listener;

constexpr absl::Duration kCheckPeriod = absl::Milliseconds(100);

// A name that no earlier grid of these ranks had.
std::string NewJob() {
  unsigned char bytes[16];
  TERMINUS_CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
  return absl::StrCat(
      "grid ", absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof(bytes)}));
}

absl::Status MissingRanks(const GridOptions& options, const std::set<int>& taken,
                          const std::string& refused) {
  std::vector<int> missing;
  for (int rank = 0; rank < options.terms.shape.world(); ++rank) {
    if (taken.count(rank) == 0) {
      missing.push_back(rank);
    }
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "ranks ", absl::StrJoin(missing, ", "), " of ", options.terms.shape.world(),
      " did not join at ", options.listen, " within ", absl::FormatDuration(options.join_patience),
      refused.empty() ? "" : absl::StrCat("; the last connection was refused: ", refused)));
}

}  // namespace

absl::StatusOr<Ranks> Gather(const GridOptions& options) {
  TERMINUS_CHECK(static_cast<int>(options.layers.size()) == options.terms.shape.pipeline);
  TERMINUS_ASSIGN_OR_RETURN(Listener listener, Listener::Open(options.listen));
  const absl::Time deadline = absl::Now() + options.join_patience;
  Ranks ranks;
  std::map<int, std::string> nonces;
  std::set<int> taken;
  std::string refused;
  while (static_cast<int>(taken.size()) < options.terms.shape.world()) {
    pollfd waiting = {.fd = listener.fd(), .events = POLLIN, .revents = 0};
    if (absl::Now() >= deadline) {
      return MissingRanks(options, taken, refused);
    }
    if (options.check) {
      TERMINUS_RETURN_IF_ERROR(options.check());
    }
    poll(&waiting, 1,
         collective::socket::PollMilliseconds(std::min(deadline, absl::Now() + kCheckPeriod)));
    Fd fd = listener.Accept();
    if (!fd.valid()) {
      continue;
    }
    std::string nonce;
    const absl::StatusOr<int> rank =
        ReceiveJoin(fd, options.secret, options.terms, taken, &nonce,
                    std::min(deadline, absl::Now() + options.handshake_patience));
    if (!rank.ok()) {
      refused = std::string(rank.status().message());
      base::LogWarning(absl::StrCat("a connection at ", options.listen, " was refused: ", refused));
      continue;
    }
    taken.insert(*rank);
    nonces[*rank] = nonce;
    ranks[*rank] = std::move(fd);
  }
  Placement placement = {.shape = options.terms.shape,
                         .rank = 0,
                         .layers = options.layers,
                         .meeting = options.meeting,
                         .job = NewJob()};
  for (const auto& [rank, fd] : ranks) {
    placement.rank = rank;
    TERMINUS_RETURN_IF_ERROR(SendWelcome(fd, options.secret, nonces[rank], placement,
                                         absl::Now() + options.handshake_patience));
  }
  return ranks;
}

}  // namespace terminus::services::decoder::grid
