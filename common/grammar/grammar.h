#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/grammar/source.h"
#include "common/grammar/vocabulary.h"

namespace terminus::grammar {

// What one compilation may take. The defaults are far above what an ordinary schema needs.
struct CompileLimits {
  size_t source_bytes = 64 << 10;
  // Of the processor, on the thread that compiles.
  absl::Duration time = absl::Seconds(5);
  // Of memory, while it compiles.
  int64_t bytes = 512 << 20;
};

// A compiled grammar. Immutable: any thread may use it.
class Grammar {
 public:
  // Compiles on the calling thread, which needs a stack of kCompileStackBytes. `cancelled` may
  // become true on another thread; null: never.
  //
  // INVALID_ARGUMENT says what is wrong with the source, that it takes more than the limits, or
  // that no text of the vocabulary's tokens satisfies it. CANCELLED once `cancelled` is true.
  static absl::StatusOr<std::shared_ptr<const Grammar>> Compile(
      const Source& source, std::shared_ptr<const Vocabulary> vocabulary,
      const CompileLimits& limits, const std::atomic<bool>* cancelled = nullptr);

  ~Grammar();
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  const Vocabulary& vocabulary() const { return *vocabulary_; }
  // Memory that it holds, about.
  int64_t bytes() const { return bytes_; }

  // The form of the grammar library.
  struct Library;
  const Library& library() const { return *library_; }

 private:
  Grammar();

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unique_ptr<const Library> library_;
  int64_t bytes_ = 0;
};

inline constexpr size_t kCompileStackBytes = 64 << 20;

// Follows one answer, token by token. Not thread-safe.
class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Grammar> grammar);
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // Writes a bit for each token of the vocabulary, lowest first: whether it may come next. Where
  // the answer may end, end tokens may. No token at all may come behind an end token, nor once a
  // step has taken more memory or time than a matcher gets: the answer cannot go on then.
  // Requires: mask.size() == vocabulary().mask_words().
  void FillMask(absl::Span<uint32_t> mask);

  // The answer goes on with a token. False: it may not come, and nothing has changed. A token whose
  // step takes too much is taken; FillMask then allows no other.
  bool Accept(int32_t token);

  // An end token was accepted.
  bool IsTerminated() const { return terminated_; }

 private:
  struct Library;

  // Runs `step` within so much of the processor's time and the matcher's memory. False, and nothing
  // more is allowed, when it fails.
  template <typename Step>
  bool Bounded(absl::Duration time, Step step);
  bool MayComeFirst(int32_t token) const;

  const std::shared_ptr<const Grammar> grammar_;
  std::unique_ptr<Library> library_;
  int64_t bytes_left_;
  bool begun_ = false;
  bool terminated_ = false;
  bool failed_ = false;
};

}  // namespace terminus::grammar
