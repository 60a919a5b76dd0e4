#include "models/cuda/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"

namespace terminus::models::cuda {
namespace {

constexpr char kFile[] = "libterminus_cuda.so";

std::vector<std::string> Candidates() {
  if (const char* named = std::getenv("TERMINUS_CUDA_LIBRARY")) {
    return {named};
  }
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  return {(binary.parent_path().parent_path() / "lib" / kFile).string(), kFile};
}

absl::StatusOr<const TerminusCudaApi*> Load() {
  std::string why;
  for (const std::string& path : Candidates()) {
    // Global, so that ATen finds the CUDA back end which comes with it.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) {
      absl::StrAppend(&why, why.empty() ? "" : "; ", dlerror());
      continue;
    }
    const auto api =
        reinterpret_cast<decltype(&terminus_cuda_api)>(dlsym(library, "terminus_cuda_api"));
    if (api == nullptr || api()->version != TERMINUS_CUDA_API_VERSION) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " is of another build, expected version ", TERMINUS_CUDA_API_VERSION));
    }
    return api();
  }
  return absl::FailedPreconditionError(absl::StrCat("no CUDA library: ", why));
}

}  // namespace

absl::StatusOr<const TerminusCudaApi*> LoadLibrary() {
  static const auto& api = *new absl::StatusOr<const TerminusCudaApi*>(Load());
  return api;
}

absl::StatusOr<Device> FindDevice(int index) {
  const auto api = LoadLibrary();
  if (!api.ok()) {
    return api.status();
  }
  char text[256] = "";
  const int count = (*api)->device_count(text, sizeof(text));
  if (count < 0) {
    return absl::FailedPreconditionError(absl::StrCat("no GPU: ", text));
  }
  if (index < 0 || index >= count) {
    return absl::FailedPreconditionError(
        absl::StrCat("no GPU ", index, ": this machine has ", count));
  }
  Device device;
  device.memory_bytes = (*api)->describe_device(index, text, sizeof(text));
  device.name = text;
  return device;
}

}  // namespace terminus::models::cuda
