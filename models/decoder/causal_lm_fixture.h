#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "models/decoder/aten_llama.h"
#include "models/decoder/causal_lm.h"
#include "models/decoder/cpu_llama.h"
#include "models/decoder/llama_tensors.h"

// The fixture that tests of language models on the CPU share.
namespace terminus::models::decoder {

using Ids = std::vector<int32_t>;

// Room for the longest prompt of a golden beside the others.
inline constexpr int kBlocks = 128;

// A sequence in the model's cache.
struct Sequence {
  Ids tokens;  // All of them, those of the next step at the end.
  Ids blocks;
  int cached = 0;  // How many of them were in a step.

  int pending() const { return static_cast<int>(tokens.size()) - cached; }
};

// Hands out blocks in an order that has nothing to do with their ids.
class Blocks {
 public:
  explicit Blocks(uint32_t seed) : free_(kBlocks) {
    std::iota(free_.begin(), free_.end(), 0);
    if (seed != 0) {
      std::shuffle(free_.begin(), free_.end(), std::mt19937(seed));
    }
  }

  void Grow(Sequence* sequence) {
    while (sequence->blocks.size() * kKvBlockTokens < sequence->tokens.size()) {
      sequence->blocks.push_back(free_.back());
      free_.pop_back();
    }
  }

 private:
  Ids free_;
};

// A step's spans and what they point to.
class Batch {
 public:
  // All pending tokens of `sequences`, or at most `limit` of each.
  Batch(const std::vector<Sequence*>& sequences, Blocks* blocks, int limit = 1 << 20) {
    for (Sequence* sequence : sequences) {
      blocks->Grow(sequence);
      const int count = std::min(limit, sequence->pending());
      for (int i = 0; i < count; ++i) {
        ids_.push_back(sequence->tokens[sequence->cached]);
        positions_.push_back(sequence->cached++);
      }
      query_indptr_.push_back(static_cast<int32_t>(ids_.size()));
      const int pages = (sequence->cached + kKvBlockTokens - 1) / kKvBlockTokens;
      indices_.insert(indices_.end(), sequence->blocks.begin(), sequence->blocks.begin() + pages);
      indptr_.push_back(static_cast<int32_t>(indices_.size()));
      last_.push_back(sequence->cached - (pages - 1) * kKvBlockTokens);
      logits_.push_back(static_cast<int32_t>(ids_.size()) - 1);
    }
  }

  StepInput input() const {
    return {.token_ids = ids_,
            .positions = positions_,
            .query_indptr = query_indptr_,
            .kv = {.indptr = indptr_, .indices = indices_, .last_page_len = last_},
            .logits_tokens = logits_};
  }

 private:
  Ids ids_, positions_, query_indptr_ = {0}, indptr_ = {0}, indices_, last_, logits_;
};

inline std::vector<std::vector<float>> Rows(const Logits& logits) {
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < logits.rows; ++i) {
    const auto row =
        logits.values.subspan(static_cast<size_t>(i) * logits.vocab_size, logits.vocab_size);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

inline int Argmax(const std::vector<float>& row) {
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

inline double MaxDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

enum class Kind { kCpu, kCpuGeneric, kAten };

inline std::unique_ptr<CausalLm> Make(Kind kind, const std::string& folder, LayerRange layers = {},
                                      ComputeDType dtype = ComputeDType::kFloat32) {
  const auto config = ReadLlamaConfig(folder);
  EXPECT_TRUE(config.ok()) << config.status();
  auto weights = checkpoint::Weights::Open(folder, at::kCPU, kLlamaNames);
  EXPECT_TRUE(weights.ok()) << weights.status();
  const LmOptions options{
      .threads = 2,
      .kv_blocks = kBlocks,
      .dtype = dtype,
      .layers = {layers.first, layers.last == -1 ? config->layers : layers.last}};
  std::unique_ptr<CausalLm> lm;
  if (kind == Kind::kAten) {
    lm = std::make_unique<AtenLlama>(*config, options, at::kCPU, *weights);
  } else {
    const auto isa = kind == Kind::kCpu ? kernels::BestIsa() : kernels::Isa::kGeneric;
    lm = std::make_unique<CpuLlama>(*config, options, isa, *weights);
  }
  EXPECT_TRUE(weights->Finish().ok()) << weights->Finish();
  return lm;
}

}  // namespace terminus::models::decoder
