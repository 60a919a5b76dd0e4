#include "tools/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace terminus::tools::cli {
namespace {

constexpr int kBarWidth = 32;

}  // namespace

Progress::Options ProgressTo(std::FILE* out, std::string what, int64_t total) {
  return {.what = std::move(what), .total = total, .terminal = isatty(fileno(out)) != 0};
}

Progress::Progress(Options options, std::FILE* out, const base::Clock& clock)
    : options_(std::move(options)),
      out_(out),
      clock_(clock),
      started_(clock.Now()),
      next_draw_(options_.terminal ? started_ : started_ + options_.line_interval) {}

Progress::~Progress() {
  if (options_.terminal) {
    DrawBar(clock_.Now());
    std::fputc('\n', out_);
  } else {
    absl::FPrintF(out_, "%s: %d of %d in %.1f s\n", options_.what, done_, options_.total,
                  absl::ToDoubleSeconds(clock_.Now() - started_));
  }
}

void Progress::Update(int64_t done) {
  done_ = done;
  const absl::Time now = clock_.Now();
  if (now < next_draw_) {
    return;
  }
  if (options_.terminal) {
    next_draw_ = now + absl::Milliseconds(100);
    DrawBar(now);
  } else {
    next_draw_ = now + options_.line_interval;
    absl::FPrintF(out_, "%s: %d of %d%s\n", options_.what, done_, options_.total, Rate(now));
  }
}

std::string Progress::Rate(absl::Time now) const {
  const double seconds = absl::ToDoubleSeconds(now - started_);
  return seconds > 0 ? absl::StrFormat(", %.1f/s", static_cast<double>(done_) / seconds) : "";
}

void Progress::DrawBar(absl::Time now) {
  const double share =
      options_.total == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(options_.total);
  const int filled = std::clamp(static_cast<int>(share * kBarWidth), 0, kBarWidth);
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) {
    absl::StrAppend(&bar, i < filled ? "█" : "░");
  }
  // \033[K clears what a longer line before has left.
  absl::FPrintF(out_, "\r%s %s %d/%d%s\033[K", options_.what, bar, done_, options_.total,
                Rate(now));
  std::fflush(out_);
}

}  // namespace terminus::tools::cli
