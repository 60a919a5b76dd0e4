#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/weights/tensor_map.h"

namespace terminus::weights {

// Fetches a model's weights and collects all that is wrong with them into one error, so that who
// made the checkpoint sees every difference at once. Not thread-safe; the map must outlive it.
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

  // OK, or INVALID_ARGUMENT that lists every miss with both sides, one a line.
  absl::Status Finish() const;

 private:
  const TensorMap& map_;
  int asked_ = 0;
  std::vector<std::string> misses_;
};

}  // namespace terminus::weights
