#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/collective/socket/socket.h"

namespace terminus::services::decoder::grid {

// Rank r computes stage r / tensor; its place in the stage's tensor group is r % tensor.
struct GridShape {
  int pipeline = 1;
  int tensor = 1;

  int world() const { return pipeline * tensor; }
};

// What a rank and the front must have in common.
struct Terms {
  GridShape shape;
  std::string build;
  uint32_t plan_version = 0;
  // A fingerprint of the model's folder: its config and the headers and sizes of its weights.
  std::string model;
};

// What the front tells a rank that it takes.
struct Placement {
  GridShape shape;
  int rank = 0;
  // Layers of each stage, as many as there are stages.
  std::vector<int> layers;
  // Where the ranks meet, and the name of their group: collective::Options.
  std::string meeting;
  std::string job;

  int stage() const { return rank / shape.tensor; }
  // Steps that are in the pipeline at most.
  int steps() const { return shape.pipeline > 1 ? shape.pipeline + 1 : 1; }
};

// The handshake: the front sends a challenge; the rank answers with its number, its terms and a
// proof that it knows the secret (HMAC-SHA256 over both sides' random numbers and the answer); the
// front answers with the rank's placement and a proof of its own, or says why it refuses. The
// secret is never sent, and nothing is encrypted.

// The front's side, of one rank. FAILED_PRECONDITION says why the rank was refused: a wrong secret,
// other terms, a number that is not in the world or in `taken`. The rank is told as much, but for
// what the right terms are where it does not know the secret.
absl::StatusOr<int> ReceiveJoin(const collective::socket::Fd& fd, const std::string& secret,
                                const Terms& terms, const std::set<int>& taken,
                                std::string* rank_nonce, absl::Time deadline);
absl::Status SendWelcome(const collective::socket::Fd& fd, const std::string& secret,
                         const std::string& rank_nonce, const Placement& placement,
                         absl::Time deadline);

// The rank's side. Waits for the welcome, which comes when all ranks have joined.
// FAILED_PRECONDITION: the front refused, and why; or it does not know the secret itself.
absl::StatusOr<Placement> Join(const collective::socket::Fd& fd, const std::string& secret,
                               int rank, const Terms& terms, absl::Time deadline);

}  // namespace terminus::services::decoder::grid
