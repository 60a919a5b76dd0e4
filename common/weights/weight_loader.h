#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/weights/tensor_map.h"

namespace terminus::weights {

// Fetches a model's weights and collects all that is wrong with them into one error, so that who
// made the checkpoint sees every difference at once. Not thread-safe; the map must outlive it.
//
// Tensors that nobody asks for are no fault: published checkpoints hold buffers, heads and whole
// towers that a model has no use for. They are listed beside the faults, since a tensor that is
// missing is often there by another name, and logged when there is no fault.
//
//   WeightLoader loader(*map);
//   TensorView weight = loader.Get("encoder.layer.0.output.dense.weight", DType::kFloat32, {h, m});
//   …
//   TERMINUS_RETURN_IF_ERROR(loader.Finish());   // before any use of the views
class WeightLoader {
 public:
  explicit WeightLoader(const TensorMap& map) : map_(map) {}

  // The tensor. When it is missing or differs in dtype or shape, the miss is noted and a view with
  // the expected dtype and shape but no data is returned.
  TensorView Get(absl::string_view name, DType dtype, absl::Span<const int64_t> shape);

  // OK, or INVALID_ARGUMENT that lists every miss with both sides, one a line, and what the file
  // holds that nobody asked for. Once, after all was asked for.
  absl::Status Finish() const;

  // What nobody asked for, sorted. Only of the parts that something was asked of; a part is what
  // stands before a name's first dot, such as "vision_model".
  std::vector<std::string> Unused() const;

 private:
  const TensorMap& map_;
  // Tensors of the parts that nothing was asked of, by part.
  std::map<std::string, int> OtherParts() const;
  bool IsAskedPart(absl::string_view name) const;

  int asked_ = 0;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> parts_;
  std::vector<std::string> misses_;
};

// What is logged about tensors that nobody asked for: how many, and the first few names.
std::string UnusedWarning(absl::string_view path, absl::Span<const std::string> unused);

}  // namespace terminus::weights
