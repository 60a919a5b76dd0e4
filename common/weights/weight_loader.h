#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/weights/tensor_map.h"
#include "common/weights/tensor_names.h"

namespace terminus::weights {

// Fetches a model's weights by the names that the model has for them, and collects everything that
// is wrong with them into one error. Not thread-safe; the map must outlive it.
//
// Tensors that nobody asks for are no fault: published checkpoints hold buffers, heads and whole
// towers that a model has no use for. They are listed beside the faults, since a tensor that is
// missing is often there by another name, and are a warning when there is no fault.
//
//   WeightLoader loader(*map);
//   TensorView weight = loader.Get("encoder.layer.0.output.dense.weight", DType::kFloat32, {h, m});
//   …
//   TERMINUS_RETURN_IF_ERROR(loader.Finish());   // before any use of the views
class WeightLoader {
 public:
  explicit WeightLoader(const TensorMap& map, const TensorNames& names = {});

  // Null when there is no such tensor.
  const TensorView* Find(absl::string_view name) const;

  // The tensor. When it is missing, stands in the file under two names, or differs in dtype or
  // shape, this is noted and a view with the expected dtype and shape but no data is returned.
  TensorView Get(absl::string_view name, DType dtype, absl::Span<const int64_t> shape);

  // Notes that the model has this tensor, where the file has it: it is not unused, though this
  // process does not ask for it because another rank does.
  void Skip(absl::string_view name);

  // Notes a fault of a tensor that the caller found.
  void Fault(absl::string_view name, absl::string_view fault);

  // OK, or INVALID_ARGUMENT that lists every fault with both sides, one a line, and what the file
  // holds that nobody asked for. Once, after all was asked for.
  absl::Status Finish() const;

  // The file's names of what nobody asked for, sorted. Only of the parts that something was asked
  // of; a part is the text before a name's first dot, such as "vision_model". Counters of training
  // steps are left out.
  std::vector<std::string> Unused() const;

 private:
  // The file's names of a model's tensor; more than one is a fault.
  const std::vector<std::string>* FileNames(absl::string_view name) const;
  // The name of a missing tensor as the file would write it: with the prefix of its neighbours.
  std::string Written(absl::string_view name) const;
  // Tensors of the parts that nothing was asked of, by part.
  std::map<std::string, int> OtherParts() const;
  bool IsAskedPart(absl::string_view name) const;

  const TensorMap& map_;
  const TensorNames names_;
  absl::flat_hash_map<std::string, std::vector<std::string>> file_names_;  // By the model's name.
  // What stands in the file before the model's names, by their part.
  absl::flat_hash_map<std::string, std::string> prefixes_;
  int asked_ = 0;
  absl::flat_hash_set<std::string> used_names_;  // The file's: asked for, or skipped.
  absl::flat_hash_set<std::string> parts_;
  std::vector<std::string> faults_;
};

// The warning about tensors that nobody asked for: how many, and the first few names.
std::string UnusedWarning(absl::string_view path, absl::Span<const std::string> unused);

}  // namespace terminus::weights
