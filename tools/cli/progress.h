#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"

namespace terminus::tools::cli {

// How far a long piece of work is: a bar on a terminal, else a plain line now and then.
// Not thread-safe.
class Progress {
 public:
  struct Options {
    std::string what;
    int64_t total = 0;
    bool terminal = false;
    // Between two plain lines.
    absl::Duration line_interval = absl::Seconds(5);
  };

  // Writes to `out`, which must outlive it.
  Progress(Options options, std::FILE* out, const base::Clock& clock = base::RealClock::Get());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(int64_t done);

 private:
  void DrawBar(absl::Time now);
  std::string Rate(absl::Time now) const;

  const Options options_;
  std::FILE* const out_;
  const base::Clock& clock_;
  const absl::Time started_;
  absl::Time next_draw_;
  int64_t done_ = 0;
};

// A bar on stderr when that is a terminal.
Progress::Options ProgressTo(std::FILE* out, std::string what, int64_t total);

}  // namespace terminus::tools::cli
