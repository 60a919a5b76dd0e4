#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/grammar/compiler_metrics.h"
#include "common/grammar/grammar.h"
#include "common/grammar/grammar_cache.h"
#include "common/grammar/source.h"
#include "common/grammar/vocabulary.h"

namespace terminus::grammar {

// Compiles grammars for one vocabulary on threads of its own, and keeps the results. Equal sources
// that are asked for at the same time are compiled once. Thread-safe.
//
// Bounds: a compilation's bytes and time (Limits), the threads, the compilations that wait,
// and the bytes of the results. A compilation that is slow, or that nobody waits for any more, is
// stopped and takes at most one of the threads until then.
class Compiler {
 public:
  // Compiles on the calling thread, until `cancelled` is true. Thread-safe.
  using Function = std::function<Compiled(const Source&, const std::atomic<bool>& cancelled)>;
  using Done = std::function<void(const Compiled&)>;

  struct Options {
    int threads = 2;
    // Compilations that wait for a thread; one more is refused.
    size_t max_waiting = 64;
    // Of the results kept for the next call.
    int64_t cache_bytes = 128 << 20;
  };

  Compiler(const Options& options, CompilerMetrics& metrics, Function compile);
  // Compiles for `vocabulary` within `limits`.
  Compiler(const Options& options, CompilerMetrics& metrics,
           std::shared_ptr<const Vocabulary> vocabulary, const Limits& limits);
  // Ends what is under way with UNAVAILABLE. Waits for the threads, which stop soon, but for a few
  // seconds at most: one that does not stop keeps what it needs alive, and ends when it can.
  ~Compiler();
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

  // Calls `done` once, on this thread before it returns when the result is known, else on another.
  // It must not block, and must not hold the last reference to the compiler when it returns.
  // Errors: those of Grammar::Compile; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED when too many
  // compilations wait. Returns a number for Cancel.
  uint64_t Compile(const Source& source, absl::Time deadline, Done done);

  // Calls the `done` of a Compile that is under way with CANCELLED, on this thread. Without effect
  // when it has been called, or is being called.
  void Cancel(uint64_t call);

 private:
  class State;

  const std::shared_ptr<State> state_;
};

}  // namespace terminus::grammar
