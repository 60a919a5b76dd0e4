#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/executor/encoder.h"
#include "models/nn/placement.h"
#include "models/text/dense.h"
#include "models/text/sentence_config.h"
#include "models/text/text_graphs.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// Texts to pooled vectors. A text's vector does not depend on what else is in its batch, but for
// rounding.
class TextEncoder : public executor::Encoder<executor::TextBatch> {
 public:
  // Reads a sentence-transformers folder or that of a model alone, of any of TextFamilies(), to
  // compute in `dtype`.
  static absl::StatusOr<std::unique_ptr<TextEncoder>> Load(const std::string& folder,
                                                           const nn::Placement& placement = {});

  absl::StatusOr<executor::Embeddings> Encode(const executor::TextBatch& batch) override;

  // Texts [begin, end), which are as Encode takes them and few enough for one pass → their vectors,
  // [end − begin, dimension] float32 on the device, which is not waited for. There the next call
  // may overwrite them, after what the device was given to do until then. On a CPU threads may
  // share the encoder.
  at::Tensor Forward(const executor::TextBatch& batch, size_t begin, size_t end);

  int dimension() const override { return dimension_; }

  // Longest text in tokens, special tokens included.
  const TokenLimit& limit() const { return limit_; }

  // Token ids are below this.
  int vocabulary_size() const { return tower_->vocabulary_size(); }

  const SentenceConfig& sentence_config() const { return sentence_config_; }

 private:
  TextEncoder(SentenceConfig sentence_config, std::vector<Dense> dense, int dimension,
              std::unique_ptr<const TextTower> tower, at::Device device);

  absl::Status Check(const executor::TextBatch& batch) const;

  executor::Embeddings EncodeChecked(const executor::TextBatch& batch);

  // Encodes texts [begin, end) in one pass; writes their rows to `out`.
  void EncodeRange(const executor::TextBatch& batch, size_t begin, size_t end, float* out);

  // From a tower's to ours: float32, after the folder's steps.
  at::Tensor Vectors(const TextInputs& inputs) const;

  at::Device device_;
  SentenceConfig sentence_config_;
  std::vector<Dense> dense_;  // In the order of the steps that need them.
  int dimension_;
  std::unique_ptr<const TextTower> tower_;
  TokenLimit limit_;
  std::unique_ptr<TextGraphs> graphs_;  // Null on a CPU.
};

}  // namespace terminus::models::text
