#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::decoder::edge {

// Holds the messages that a Generate call still has to send: the deltas of its choices, then the
// usage, then the call's status. One message is written at a time. Deltas of one choice that wait
// for a write become one delta. Not thread-safe.
class Outbox {
 public:
  enum class Move { kNothing, kWrite, kFinish };

  // Tokens of one choice that a message had.
  struct Tokens {
    int choice = 0;
    int count = 0;
  };

  explicit Outbox(int choices) : deltas_(static_cast<size_t>(choices)) {}

  // Requires: the delta's choice is below `choices`, and End was not called.
  void Add(const v1::TextDelta& delta);

  // Nothing more comes: the call ends with `status`, after the deltas that wait and `usage`.
  void End(const absl::Status& status, absl::optional<v1::Usage> usage);

  // The client has left: drops the messages that wait and all that are added later.
  void Abandon();

  // Returns the next move. kWrite: write message(), then call Written. kFinish, once and last: end
  // the call with status().
  Move Next();

  // Unchanged while it is written.
  const v1::GenerateResponse& message() const { return message_; }
  // Returns the tokens that the message had.
  Tokens Written();

  // Requires: End was called.
  const absl::Status& status() const { return *status_; }

 private:
  std::vector<absl::optional<v1::TextDelta>> deltas_;  // by choice
  size_t next_choice_ = 0;
  absl::optional<v1::Usage> usage_;
  absl::optional<absl::Status> status_;
  v1::GenerateResponse message_;
  bool writing_ = false;
  bool abandoned_ = false;
  bool finished_ = false;
};

}  // namespace terminus::services::decoder::edge
