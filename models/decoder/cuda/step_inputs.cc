#include "models/decoder/cuda/step_inputs.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace terminus::models::decoder::cuda {
namespace {

// A shorter part of a sequence costs more to merge than it saves.
constexpr int kMinPartBlocks = 32;
// As an index, of no memory.
constexpr int kPoison = 0x7f;

int BlocksOf(const TerminusLlamaStep& step, int sequence) {
  return step.kv_indptr[sequence + 1] - step.kv_indptr[sequence];
}

int LengthOf(const TerminusLlamaStep& step, int sequence) {
  return (BlocksOf(step, sequence) - 1) * kBlockTokens + step.last_page_len[sequence];
}

int QueriesOf(const TerminusLlamaStep& step, int sequence) {
  return step.query_indptr[sequence + 1] - step.query_indptr[sequence];
}

// The blocks that a single new token sees.
struct Range {
  int first_block;
  int blocks;
  int skipped;  // Tokens of the first block that lie outside of the window.
};

Range Visible(const TerminusLlamaStep& step, int sequence, int window) {
  const int length = LengthOf(step, sequence);
  const int first_token = window > 0 ? std::max(0, length - window) : 0;
  const int first_block = first_token / kBlockTokens;
  return {.first_block = first_block,
          .blocks = BlocksOf(step, sequence) - first_block,
          .skipped = first_token % kBlockTokens};
}

}  // namespace

int ItemCapacity(const StepLimits& limits, int tokens) { return tokens + limits.attention_parts; }

StepInputs::StepInputs(StepLimits limits) : limits_(std::move(limits)) {
  const StepCapacity all = {.tokens = limits_.max_tokens, .sequences = limits_.max_sequences};
  const StepPointers end = Pointers(nullptr, all);
  bytes_ = reinterpret_cast<size_t>(end.kv_indices) + limits_.max_kv_indices * sizeof(int32_t);
  device_ = AllocateDevice<uint8_t>(bytes_);
  for (auto& host : host_) {
    host = AllocatePinned<uint8_t>(bytes_);
  }
}

StepPointers StepInputs::Pointers(uint8_t* base, const StepCapacity& capacity) const {
  size_t at = 0;
  const auto take = [&](size_t bytes) {
    uint8_t* const place = base + at;
    at += (bytes + 15) / 16 * 16;
    return place;
  };
  const auto ints = [&](size_t count) {
    return reinterpret_cast<int32_t*>(take(count * sizeof(int32_t)));
  };
  const size_t decodes = std::min(capacity.tokens, limits_.max_sequences);
  const size_t items = ItemCapacity(limits_, static_cast<int>(decodes));
  StepPointers pointers;
  pointers.token_ids = ints(capacity.tokens);
  pointers.slots = ints(capacity.tokens);
  pointers.positions = ints(capacity.tokens);
  pointers.kv_rows = ints(capacity.tokens);
  pointers.logits_rows = ints(limits_.max_sequences);
  pointers.query_indptr = ints(capacity.sequences + 1);
  pointers.kv_indptr = ints(capacity.sequences + 1);
  pointers.last_page_len = ints(capacity.sequences);
  pointers.item_counts = ints(limits_.windows.size());
  pointers.items =
      reinterpret_cast<DecodeItem*>(take(limits_.windows.size() * items * sizeof(DecodeItem)));
  pointers.kv_indices = reinterpret_cast<int32_t*>(base + at);
  return pointers;
}

StepPointers StepInputs::OnDevice(const StepCapacity& capacity) const {
  return Pointers(device_.get(), capacity);
}

StepPointers StepInputs::OnHost(const StepCapacity& capacity, int parity) const {
  return Pointers(host_[parity].get(), capacity);
}

void StepInputs::WriteTokens(const TerminusLlamaStep& step, int sequence, int first_row,
                             const StepPointers& host) const {
  const int queries = QueriesOf(step, sequence);
  const int first_position = LengthOf(step, sequence) - queries;
  const int32_t* const table = step.kv_indices + step.kv_indptr[sequence];
  const int32_t* const ids = step.token_ids + step.query_indptr[sequence];
  for (int i = 0; i < queries; ++i) {
    const int position = first_position + i;
    host.token_ids[first_row + i] = ids[i];
    host.slots[first_row + i] = step.slots[sequence];
    host.positions[first_row + i] = position;
    host.kv_rows[first_row + i] =
        table[position / kBlockTokens] * kBlockTokens + position % kBlockTokens;
  }
}

// Long sequences are cut into parts of about a fair share of the work.
int StepInputs::WriteItems(const TerminusLlamaStep& step, int window, DecodeItem* items) {
  int64_t total = 0;
  for (const int32_t sequence : decodes_) {
    total += Visible(step, sequence, window).blocks;
  }
  const int parts = limits_.attention_parts;
  const int longest =
      std::max(kMinPartBlocks, static_cast<int>((total + parts - 1) / std::max(1, parts)));
  int count = 0;
  int partial = 0;
  for (size_t row = 0; row < decodes_.size(); ++row) {
    const int sequence = decodes_[row];
    const Range range = Visible(step, sequence, window);
    const int splits = std::max(1, (range.blocks + longest / 2) / longest);
    const int part = (range.blocks + splits - 1) / splits;
    for (int split = 0; split < splits; ++split) {
      const int first = split * part;
      const int last = std::min(range.blocks, first + part);
      const bool newest = last == range.blocks;
      const int tail = newest ? kBlockTokens - step.last_page_len[sequence] : 0;
      items[count++] = {.row = static_cast<int32_t>(row),
                        .table = step.kv_indptr[sequence] + range.first_block + first,
                        .tokens = (last - first) * kBlockTokens - tail,
                        .skipped = split == 0 ? range.skipped : 0,
                        .split = split,
                        // The last part may be left without blocks by rounding up.
                        .splits = (range.blocks + part - 1) / part,
                        .partial = partial,
                        .newest = newest ? 1 : 0};
      if (newest) {
        break;
      }
    }
    partial += (range.blocks + part - 1) / part;
  }
  std::stable_sort(items, items + count,
                   [](const DecodeItem& a, const DecodeItem& b) { return a.tokens > b.tokens; });
  return count;
}

// Rows without a token compute one at position 0 of the block that nobody owns.
void StepInputs::Pad(int tokens, const StepCapacity& capacity, const StepPointers& host) const {
  for (int row = tokens; row < capacity.tokens; ++row) {
    host.token_ids[row] = 0;
    host.slots[row] = 0;
    host.positions[row] = 0;
    host.kv_rows[row] = limits_.kv_blocks * kBlockTokens;
  }
}

int StepInputs::RowOf(const TerminusLlamaStep& step, int token) const {
  const int32_t* const indptr = step.query_indptr;
  const auto sequence = std::upper_bound(indptr, indptr + step.sequences + 1, token) - indptr - 1;
  return first_row_[sequence] + token - indptr[sequence];
}

StepShape StepInputs::Write(const TerminusLlamaStep& step, const StepCapacity& capacity, int parity,
                            cudaStream_t stream) {
  const StepPointers host = OnHost(capacity, parity);
  if (limits_.poison) {
    std::memset(host_[parity].get(), kPoison, bytes_);
  }
  decodes_.clear();
  prefills_.clear();
  first_row_.resize(step.sequences);
  for (int sequence = 0; sequence < step.sequences; ++sequence) {
    (QueriesOf(step, sequence) == 1 ? decodes_ : prefills_).push_back(sequence);
  }
  int row = 0;
  for (const int32_t sequence : decodes_) {
    WriteTokens(step, sequence, row, host);
    first_row_[sequence] = row++;
  }
  host.query_indptr[0] = 0;
  int prefill = 0;
  for (const int32_t sequence : prefills_) {
    WriteTokens(step, sequence, row, host);
    first_row_[sequence] = row;
    row += QueriesOf(step, sequence);
    host.query_indptr[prefill + 1] = host.query_indptr[prefill] + QueriesOf(step, sequence);
    host.last_page_len[prefill] = step.last_page_len[sequence];
    ++prefill;
  }
  Pad(row, capacity, host);
  logits_rows_.resize(step.logits_count);
  for (int i = 0; i < step.logits_count; ++i) {
    logits_rows_[i] = RowOf(step, step.logits_tokens[i]);
    host.logits_rows[i] = logits_rows_[i];
  }
  const size_t item_capacity =
      ItemCapacity(limits_, std::min(capacity.tokens, limits_.max_sequences));
  for (size_t window = 0; window < limits_.windows.size(); ++window) {
    host.item_counts[window] =
        WriteItems(step, limits_.windows[window], host.items + window * item_capacity);
  }
  // Tables of prefilled sequences lie one behind the other, as their kernels want them.
  const int32_t all = step.kv_indptr[step.sequences];
  int32_t at = all;
  std::memcpy(host.kv_indices, step.kv_indices, all * sizeof(int32_t));
  for (int i = 0; i < prefill; ++i) {
    const int sequence = prefills_[i];
    host.kv_indptr[i] = at;
    std::memcpy(host.kv_indices + at, step.kv_indices + step.kv_indptr[sequence],
                BlocksOf(step, sequence) * sizeof(int32_t));
    at += BlocksOf(step, sequence);
  }
  host.kv_indptr[prefill] = at;
  const size_t used = reinterpret_cast<uint8_t*>(host.kv_indices + at) - host_[parity].get();
  const size_t bytes = limits_.poison ? bytes_ : used;
  Check(cudaMemcpyAsync(device_.get(), host_[parity].get(), bytes, cudaMemcpyHostToDevice, stream),
        "copy of a step's inputs");
  return {.tokens = row,
          .decodes = static_cast<int>(decodes_.size()),
          .prefills = prefill,
          .logits = step.logits_count};
}

}  // namespace terminus::models::decoder::cuda
