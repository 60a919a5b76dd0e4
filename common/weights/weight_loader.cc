#include "common/weights/weight_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/settings/collector.h"

namespace terminus::weights {
namespace {

// Names in a warning: a checkpoint of which a half is used has hundreds.
constexpr size_t kMaxLogged = 8;

// Batch normalisation counts its training steps in it.
constexpr char kCounter[] = ".num_batches_tracked";

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

WeightLoader::WeightLoader(const TensorMap& map, const TensorNames& names)
    : map_(map), names_(names) {
  for (std::string& name : map.names()) {
    const std::string model_name = ModelName(name, names);
    if (absl::EndsWith(name, model_name)) {
      prefixes_[PartOf(model_name)] = name.substr(0, name.size() - model_name.size());
    }
    file_names_[model_name].push_back(std::move(name));
  }
}

const std::vector<std::string>* WeightLoader::FileNames(absl::string_view name) const {
  const auto found = file_names_.find(name);
  return found == file_names_.end() ? nullptr : &found->second;
}

const TensorView* WeightLoader::Find(absl::string_view name) const {
  const std::vector<std::string>* const names = FileNames(name);
  return names == nullptr ? nullptr : map_.Find(names->front());
}

std::string WeightLoader::Written(absl::string_view name) const {
  const auto prefix = prefixes_.find(PartOf(name));
  return absl::StrCat(prefix == prefixes_.end() ? "" : prefix->second, name);
}

TensorView WeightLoader::Get(absl::string_view name, DType dtype, absl::Span<const int64_t> shape) {
  ++asked_;
  const TensorView missing{.dtype = dtype, .shape = {shape.begin(), shape.end()}, .data = {}};
  const std::vector<std::string>* const names = FileNames(name);
  if (names == nullptr) {
    const std::string written = Written(name);
    parts_.insert(std::string(PartOf(written)));
    faults_.push_back(
        absl::StrCat(written, ": expected ", ToString(dtype, shape), ", file has no such tensor"));
    return missing;
  }
  for (const std::string& file_name : *names) {
    used_names_.insert(file_name);
    parts_.insert(std::string(PartOf(file_name)));
  }
  if (names->size() > 1) {
    faults_.push_back(absl::StrCat(names->front(), ": file has this tensor as ",
                                   absl::StrJoin(*names, " and as "), ", expected it once"));
    return missing;
  }
  const TensorView& found = *map_.Find(names->front());
  if (found.dtype == dtype && absl::MakeConstSpan(found.shape) == shape) {
    return found;
  }
  faults_.push_back(absl::StrCat(names->front(), ": expected ", ToString(dtype, shape),
                                 ", file has ", ToString(found.dtype, found.shape)));
  return missing;
}

void WeightLoader::Skip(absl::string_view name) {
  const std::vector<std::string>* const names = FileNames(name);
  if (names != nullptr) {
    used_names_.insert(names->begin(), names->end());
  }
}

void WeightLoader::Fault(absl::string_view name, absl::string_view fault) {
  const std::vector<std::string>* const names = FileNames(name);
  faults_.push_back(absl::StrCat(names == nullptr ? Written(name) : names->front(), ": ", fault));
}

bool WeightLoader::IsAskedPart(absl::string_view name) const {
  return parts_.contains(std::string(PartOf(name)));
}

std::vector<std::string> WeightLoader::Unused() const {
  std::vector<std::string> unused;
  for (std::string& name : map_.names()) {
    if (!used_names_.contains(name) && IsAskedPart(name) && !absl::EndsWith(name, kCounter)) {
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
  if (faults_.empty()) {
    if (!unused.empty()) {
      settings::Warn(UnusedWarning(map_.path(), unused));
    }
    return absl::OkStatus();
  }
  std::string text =
      absl::StrCat(map_.path(), ": ", faults_.size(), " of ", asked_,
                   " tensors are missing or differ:\n  ", absl::StrJoin(faults_, "\n  "));
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
