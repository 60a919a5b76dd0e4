#include "services/decoder/pipeline/leases.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace terminus::services::decoder::pipeline {

Leases::Leases(int kv_blocks, int slots, EngineMetrics& metrics)
    : kv_blocks_(kv_blocks), slots_(slots), metrics_(metrics) {
  tables_.emplace(kv_blocks_);
  FreeAllSlots();
}

void Leases::FreeAllSlots() {
  free_slots_.clear();
  // The lowest slots are given out first.
  for (int32_t slot = slots_ - 1; slot >= 0; --slot) {
    free_slots_.push_back(slot);
  }
}

void Leases::Reset(absl::Time now) {
  for (const auto& [key, lease] : leases_) {
    ObserveRelease(lease, now);
  }
  leases_.clear();
  closed_.clear();
  closed_slots_.clear();
  FreeAllSlots();
  tables_.emplace(kv_blocks_);
}

void Leases::ObserveRelease(const Lease& lease, absl::Time now) {
  if (lease.cancelled.has_value()) {
    metrics::Observe(metrics_.cancel_to_release_seconds, now - *lease.cancelled);
  }
}

int Leases::Open(uint64_t key, absl::Span<const int32_t> tokens, cache::BlockTables::Soft soft) {
  TERMINUS_CHECK(!free_slots_.empty());
  const auto [entry, inserted] = leases_.try_emplace(key);
  TERMINUS_CHECK(inserted);
  entry->second.slot = free_slots_.back();
  free_slots_.pop_back();
  return tables_->Open(key, tokens, soft);
}

absl::Span<const int32_t> Leases::Grow(uint64_t key, int tokens) {
  const size_t before = tables_->Blocks(key).size();
  TERMINUS_CHECK(tables_->Grow(key, tokens));
  return tables_->Blocks(key).subspan(before);
}

void Leases::BeginStep(uint64_t key) {
  Lease& lease = leases_.at(key);
  TERMINUS_CHECK(!lease.closed);
  ++lease.steps;
}

bool Leases::EndStep(uint64_t key, absl::Time now) {
  Lease& lease = leases_.at(key);
  TERMINUS_CHECK(lease.steps > 0);
  if (--lease.steps > 0 || !lease.closed) {
    return false;
  }
  closed_.erase(std::find(closed_.begin(), closed_.end(), key));
  Return(key, now);
  return true;
}

bool Leases::Close(uint64_t key, absl::optional<absl::Time> cancelled, absl::Time now) {
  const auto found = leases_.find(key);
  if (found == leases_.end()) {
    return true;
  }
  Lease& lease = found->second;
  if (cancelled.has_value()) {
    lease.cancelled = cancelled;
  }
  if (lease.steps == 0) {
    Return(key, now);
    return true;
  }
  if (!std::exchange(lease.closed, true)) {
    closed_.push_back(key);
  }
  return false;
}

void Leases::Return(uint64_t key, absl::Time now) {
  const auto found = leases_.find(key);
  ObserveRelease(found->second, now);
  free_slots_.push_back(found->second.slot);
  closed_slots_.push_back(found->second.slot);
  leases_.erase(found);
  tables_->Close(key);
}

scheduler::Supply Leases::slots() const {
  return {.available = static_cast<int>(free_slots_.size()),
          .coming = static_cast<int>(closed_.size())};
}

scheduler::Supply Leases::blocks() const {
  scheduler::Supply blocks{.available = tables_->pool().available()};
  for (const uint64_t key : closed_) {
    blocks.coming += tables_->OwnBlocks(key);
  }
  return blocks;
}

std::vector<int32_t> Leases::TakeClosedSlots() { return std::exchange(closed_slots_, {}); }

}  // namespace terminus::services::decoder::pipeline
