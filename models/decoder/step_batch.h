#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "models/decoder/step.h"
#include "models/decoder/step_runner.h"

// For tests only: steps put together sequence by sequence.
namespace terminus::models::decoder {

using Ids = std::vector<int32_t>;

// ‖a − b‖ / ‖b‖
inline double Difference(absl::Span<const float> a, absl::Span<const float> b) {
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    size += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / size);
}

// A sequence and its blocks, handed out in an order that has nothing to do with their ids.
struct Sequence {
  Ids tokens;
  Ids blocks;
  int computed = 0;   // Tokens whose keys and values lie in the blocks.
  int32_t slot = -1;  // -1: its place in the step.
};

class Batch {
 public:
  // The next `count` tokens of a sequence.
  void Add(const Sequence& sequence, int count, bool from_sampler = false) {
    const int end = sequence.computed + count;
    for (int i = sequence.computed; i < end; ++i) {
      ids_.push_back(from_sampler ? kFromSampler : sequence.tokens[static_cast<size_t>(i)]);
      positions_.push_back(i);
    }
    query_.push_back(static_cast<int32_t>(ids_.size()));
    const int blocks = (end + kKvBlockTokens - 1) / kKvBlockTokens;
    indices_.insert(indices_.end(), sequence.blocks.begin(), sequence.blocks.begin() + blocks);
    indptr_.push_back(static_cast<int32_t>(indices_.size()));
    last_.push_back((end - 1) % kKvBlockTokens + 1);
    wanted_.push_back(static_cast<int32_t>(ids_.size()) - 1);
    slots_.push_back(sequence.slot < 0 ? static_cast<int32_t>(slots_.size()) : sequence.slot);
    rows_.push_back(static_cast<int32_t>(rows_.size()));
  }

  StepInput AsStep() const {
    return {.token_ids = ids_,
            .positions = positions_,
            .query_indptr = query_,
            .kv = {.indptr = indptr_, .indices = indices_, .last_page_len = last_},
            .logits_tokens = wanted_,
            .hidden_states = {},
            .soft = {}};
  }
  ForwardInput AsForward() const {
    return {.token_ids = ids_,
            .positions = positions_,
            .query_indptr = query_,
            .slots = slots_,
            .kv = {.indptr = indptr_, .indices = indices_, .last_page_len = last_},
            .logits_sequences = rows_,
            .soft = {}};
  }

 private:
  Ids ids_, positions_, query_ = {0}, indptr_ = {0}, indices_, last_, wanted_, slots_, rows_;
};

}  // namespace terminus::models::decoder
