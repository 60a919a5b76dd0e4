#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/grammar/allocation_limit.h"
#include "common/grammar/limits.h"
#include "common/grammar/source.h"
#include "common/grammar/vocabulary.h"

namespace terminus::grammar {

// A compiled grammar. Immutable: any thread may use it.
class Grammar {
 public:
  // Compiles on the calling thread, which needs a stack of kCompileStackBytes. `cancelled` may
  // become true on another thread; null: never.
  //
  // INVALID_ARGUMENT says what is wrong with the source, that it takes more than the limits
  // (reasons FORMAT_TOO_SLOW and FORMAT_TOO_LARGE), or that no text of the vocabulary's tokens
  // satisfies it. CANCELLED once `cancelled` is true.
  static absl::StatusOr<std::shared_ptr<const Grammar>> Compile(
      const Source& source, std::shared_ptr<const Vocabulary> vocabulary, const Limits& limits,
      const std::atomic<bool>* cancelled = nullptr);

  ~Grammar();
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  // Those it was compiled with. They hold for the answers, too.
  const Limits& limits() const { return limits_; }
  // Answers are JSON.
  bool json() const { return json_; }
  // Memory that it holds, about.
  int64_t bytes() const { return bytes_; }

  // The form of the grammar library.
  struct Library;
  const Library& library() const { return *library_; }

 private:
  Grammar();

  std::shared_ptr<const Vocabulary> vocabulary_;
  Limits limits_;
  std::unique_ptr<const Library> library_;
  int64_t bytes_ = 0;
  bool json_ = false;
};

inline constexpr size_t kCompileStackBytes = 64 << 20;

// Follows one answer, token by token. Beside the grammar it sees to two things that the grammar
// library does not: an answer is UTF-8, and JSON has no control characters but line feeds. Not
// thread-safe.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Grammar> grammar);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // Writes a bit for each token of the vocabulary, lowest first: whether it may come next. Where
  // the answer may end, end tokens may; behind an end token nothing may.
  //
  // An error says why the answer cannot go on; no bit is set then. INVALID_ARGUMENT: a token of
  // this answer took more than the limits (reasons FORMAT_TOO_SLOW and FORMAT_TOO_LARGE).
  // FAILED_PRECONDITION, reason NO_TOKEN_LEFT: no token of the vocabulary continues it.
  // Requires: mask.size() == vocabulary().mask_words().
  absl::Status FillMask(absl::Span<uint32_t> mask);

  // The answer goes on with a token. False: it may not come, and nothing has changed. A token that
  // takes more than the limits is accepted; the next FillMask fails then.
  bool Accept(int32_t token);

  // An end token was accepted.
  bool IsTerminated() const { return terminated_; }

 private:
  struct Library;

  // Runs `step` within what is left of the token's time and the answer's memory, and returns its
  // result. False, and failure_ says why, when it does not fit.
  template <typename Step>
  bool Bounded(Step step);
  // Says which limit was passed.
  absl::Status FailureOf(AllocationLimit::Reason reason) const;
  // Whether the token may come as far as its bytes alone say.
  bool FitsText(int32_t token) const;
  // Clears the bits of tokens that FitsText refuses.
  void ClearTokensOutsideOfTexts(absl::Span<uint32_t> mask) const;

  const std::shared_ptr<const Grammar> grammar_;
  std::unique_ptr<Library> library_;
  // Not OK: the answer cannot go on.
  absl::Status failure_;
  int64_t bytes_left_;
  // For the token that is accepted and the mask behind it.
  absl::Duration time_left_;
  // Of the answer's last character, while it is not complete.
  std::string pending_;
  bool begun_ = false;
  bool terminated_ = false;
};

}  // namespace terminus::grammar
