#include "models/checkpoint/peak_memory.h"

#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/freed_memory.h"

namespace terminus::models::checkpoint {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A line of /proc/self/status that counts kB, such as VmHWM; -1 if there is none.
int64_t BytesOf(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (int64_t kib = 0; name == field + ":" && status >> kib) {
      return kib * 1024;
    }
  }
  return -1;
}

}  // namespace

nlohmann::json Enlarge(nlohmann::json golden, const std::map<int64_t, int64_t>& sizes,
                       const std::string& layer, int layers, const nlohmann::json& config) {
  nlohmann::json tensors = nlohmann::json::array();
  for (nlohmann::json& tensor : golden["tensors"]) {
    for (nlohmann::json& size : tensor[1]) {
      const auto larger = sizes.find(size.get<int64_t>());
      size = larger == sizes.end() ? size.get<int64_t>() : larger->second;
    }
    const auto name = tensor[0].get<std::string>();
    const std::string first = absl::StrCat(layer, "0.");
    if (name.find(layer) == std::string::npos) {
      tensors.push_back(tensor);
    } else if (name.find(first) != std::string::npos) {
      for (int i = 0; i < layers; ++i) {
        tensor[0] = absl::StrReplaceAll(name, {{first, absl::StrCat(layer, i, ".")}});
        tensors.push_back(tensor);
      }
    }
  }
  golden["tensors"] = tensors;
  golden["config"].merge_patch(config);
  return golden;
}

int64_t WeightBytes(const nlohmann::json& golden) {
  int64_t bytes = 0;
  for (const nlohmann::json& tensor : golden["tensors"]) {
    int64_t count = 1;
    for (const nlohmann::json& size : tensor[1]) {
      count *= size.get<int64_t>();
    }
    bytes += count * static_cast<int64_t>(sizeof(float));
  }
  return bytes;
}

absl::StatusOr<PeakMemory> PeakMemory::Start() {
  if (kSanitized) {
    return absl::FailedPreconditionError("built with a sanitizer");
  }
  base::ReturnFreedMemory();  // What was freed before shall not hide what is taken now.
  std::ofstream reset("/proc/self/clear_refs");
  const int64_t base = BytesOf("VmRSS");
  if (!(reset << "5" << std::flush) || base < 0) {
    return absl::FailedPreconditionError("/proc/self/clear_refs cannot be written");
  }
  return PeakMemory(base);
}

int64_t PeakMemory::Above() const { return BytesOf("VmHWM") - base_; }

}  // namespace terminus::models::checkpoint
