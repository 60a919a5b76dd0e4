#include "services/decoder/edge/outbox.h"

#include <utility>

#include "common/base/check.h"
#include "services/decoder/edge/choice_text.h"

namespace terminus::services::decoder::edge {

void Outbox::Add(const v1::TextDelta& delta) {
  TERMINUS_CHECK(delta.choice() < deltas_.size() && !status_.has_value());
  if (abandoned_) {
    return;
  }
  absl::optional<v1::TextDelta>& waiting = deltas_[delta.choice()];
  if (waiting.has_value()) {
    Merge(delta, *waiting);
  } else {
    waiting = delta;
  }
}

void Outbox::End(const absl::Status& status, absl::optional<v1::Usage> usage) {
  status_ = status;
  if (!abandoned_) {
    usage_ = std::move(usage);
  }
}

void Outbox::Abandon() {
  abandoned_ = true;
  deltas_.assign(deltas_.size(), absl::nullopt);
  usage_.reset();
}

Outbox::Move Outbox::Next() {
  if (writing_ || finished_) {
    return Move::kNothing;
  }
  for (size_t i = 0; i < deltas_.size(); ++i) {
    const size_t choice = (next_choice_ + i) % deltas_.size();
    if (deltas_[choice].has_value()) {
      *message_.mutable_delta() = *std::move(deltas_[choice]);
      deltas_[choice].reset();
      next_choice_ = choice + 1;
      writing_ = true;
      return Move::kWrite;
    }
  }
  if (usage_.has_value()) {
    *message_.mutable_usage() = *std::move(usage_);
    usage_.reset();
    writing_ = true;
    return Move::kWrite;
  }
  finished_ = status_.has_value();
  return finished_ ? Move::kFinish : Move::kNothing;
}

Outbox::Tokens Outbox::Written() {
  TERMINUS_CHECK(std::exchange(writing_, false));
  if (!message_.has_delta()) {
    return {};
  }
  return {.choice = static_cast<int>(message_.delta().choice()),
          .count = message_.delta().token_ids_size()};
}

}  // namespace terminus::services::decoder::edge
