#include "common/weights/weight_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"

namespace terminus::weights {
namespace {

// Names in a warning: of a model of which a half is used there are hundreds.
constexpr size_t kMaxLogged = 8;

absl::string_view PartOf(absl::string_view name) { return name.substr(0, name.find('.')); }

}  // namespace

std::string UnusedWarning(absl::string_view path, absl::Span<const std::string> unused) {
  const size_t shown = std::min(unused.size(), kMaxLogged);
  std::string text =
      absl::StrCat(path, ": ", unused.size(),
                   " tensors are not used: ", absl::StrJoin(unused.subspan(0, shown), ", "));
  if (shown < unused.size()) {
    absl::StrAppend(&text, " and ", unused.size() - shown, " more");
  }
  return text;
}

TensorView WeightLoader::Get(absl::string_view name, DType dtype, absl::Span<const int64_t> shape) {
  ++asked_;
  names_.insert(std::string(name));
  parts_.insert(std::string(PartOf(name)));
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

bool WeightLoader::IsAskedPart(absl::string_view name) const {
  return parts_.contains(std::string(PartOf(name)));
}

std::vector<std::string> WeightLoader::Unused() const {
  std::vector<std::string> unused;
  for (std::string& name : map_.names()) {
    if (!names_.contains(name) && IsAskedPart(name)) {
      unused.push_back(std::move(name));
    }
  }
  return unused;
}

std::map<std::string, int> WeightLoader::OtherParts() const {
  std::map<std::string, int> parts;
  for (const std::string& name : map_.names()) {
    if (!IsAskedPart(name)) {
      ++parts[std::string(PartOf(name))];
    }
  }
  return parts;
}

absl::Status WeightLoader::Finish() const {
  const std::vector<std::string> unused = Unused();
  if (misses_.empty()) {
    if (!unused.empty()) {
      base::LogWarning(UnusedWarning(map_.path(), unused));
    }
    return absl::OkStatus();
  }
  std::string text =
      absl::StrCat(map_.path(), ": ", misses_.size(), " of ", asked_,
                   " tensors are missing or differ:\n  ", absl::StrJoin(misses_, "\n  "));
  if (!unused.empty()) {
    absl::StrAppend(&text, "\n", unused.size(), " tensors of the file are not used:");
    for (const std::string& name : unused) {
      const TensorView& found = *map_.Find(name);
      absl::StrAppend(&text, "\n  ", name, ": ", ToString(found.dtype, found.shape));
    }
  }
  for (const auto& [part, tensors] : OtherParts()) {
    absl::StrAppend(&text, "\nnothing is used of its part ", part, " (", tensors, " tensors)");
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace terminus::weights
