#include "common/weights/weight_loader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace terminus::weights {

TensorView WeightLoader::Get(absl::string_view name, DType dtype, absl::Span<const int64_t> shape) {
  ++asked_;
  const TensorView* const found = map_.Find(name);
  if (found != nullptr && found->dtype == dtype && absl::MakeConstSpan(found->shape) == shape) {
    return *found;
  }
  misses_.push_back(absl::StrCat(
      name, ": expected ", ToString(dtype, shape),
      found == nullptr ? ", file has no such tensor"
                       : absl::StrCat(", file has ", ToString(found->dtype, found->shape))));
  return TensorView{.dtype = dtype, .shape = {shape.begin(), shape.end()}, .data = {}};
}

absl::Status WeightLoader::Finish() const {
  if (misses_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(map_.path(), ": ", misses_.size(), " of ", asked_,
                                                 " tensors are missing or differ:\n  ",
                                                 absl::StrJoin(misses_, "\n  ")));
}

}  // namespace terminus::weights
