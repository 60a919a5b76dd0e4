#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "services/decoder/cache/block_tables.h"
#include "services/decoder/pipeline/engine_metrics.h"
#include "services/decoder/scheduler/policy.h"

namespace terminus::services::decoder::pipeline {

// The slots and KV blocks of sequences, and how many steps in flight use them. A lease that is
// closed while steps use it keeps both until the last of these steps has ended.
//
// Used by one thread at a time.
class Leases {
 public:
  Leases(int kv_blocks, int slots, EngineMetrics& metrics);

  // Gives a sequence a slot, and the blocks that the prefix cache has for its first tokens. Returns
  // the number of these tokens. Requires: the key has no lease, and a slot is free.
  int Open(uint64_t key, absl::Span<const int32_t> tokens, cache::BlockTables::Soft soft = {});

  // Gives a sequence blocks for `tokens` tokens in all, and returns the new ones.
  // Requires: there are enough.
  absl::Span<const int32_t> Grow(uint64_t key, int tokens);

  // A step in flight uses the lease until EndStep.
  void BeginStep(uint64_t key);

  // True: it was the last step of a closed lease, and the key has no lease any more.
  bool EndStep(uint64_t key, absl::Time now);

  // Returns the slot and the blocks: now (true), or at the end of the last step in flight (false).
  // `cancelled` is when the client cancelled, if it did; a lease that is closed already takes note
  // of it. A key without a lease is left alone (true).
  bool Close(uint64_t key, absl::optional<absl::Time> cancelled, absl::Time now);

  // Takes all leases back at once, with what the prefix cache has: the stage has lost everything.
  void Reset(absl::Time now);

  int slot(uint64_t key) const { return leases_.at(key).slot; }
  bool in_flight(uint64_t key) const { return leases_.at(key).steps > 0; }

  // The slots or blocks that are free now, and those that closed leases will return.
  scheduler::Supply slots() const;
  scheduler::Supply blocks() const;

  // Slots that were returned since the last call.
  std::vector<int32_t> TakeClosedSlots();

  cache::BlockTables& tables() { return *tables_; }
  const cache::BlockTables& tables() const { return *tables_; }

 private:
  struct Lease {
    int32_t slot = 0;
    int steps = 0;
    bool closed = false;
    absl::optional<absl::Time> cancelled;
  };

  void Return(uint64_t key, absl::Time now);
  void ObserveRelease(const Lease& lease, absl::Time now);
  void FreeAllSlots();

  const int kv_blocks_;
  const int slots_;
  EngineMetrics& metrics_;
  absl::optional<cache::BlockTables> tables_;
  std::vector<int32_t> free_slots_;
  std::vector<int32_t> closed_slots_;
  absl::flat_hash_map<uint64_t, Lease> leases_;
  // Keys of closed leases.
  std::vector<uint64_t> closed_;
};

}  // namespace terminus::services::decoder::pipeline
