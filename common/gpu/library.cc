#include "common/gpu/library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"

namespace terminus::gpu {
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

struct Library {
  void* handle = nullptr;
  std::string path;
};

absl::StatusOr<Library> Open() {
  std::string why;
  for (const std::string& path : Candidates()) {
    // Global, so that ATen finds the CUDA back end which comes with it.
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (handle != nullptr) {
      return Library{handle, path};
    }
    absl::StrAppend(&why, why.empty() ? "" : "; ", dlerror());
  }
  return absl::FailedPreconditionError(absl::StrCat("no CUDA library: ", why));
}

}  // namespace

absl::StatusOr<const void*> FindTable(const char* symbol, int version) {
  static const auto& library = *new absl::StatusOr<Library>(Open());
  if (!library.ok()) {
    return library.status();
  }
  using Find = const void* (*)();
  const auto find = reinterpret_cast<Find>(dlsym(library->handle, symbol));
  if (find == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(library->path, " is of another build: it has no ", symbol));
  }
  const void* table = find();
  if (table == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(library->path, " was built without what ", symbol, " offers"));
  }
  if (const int found = *static_cast<const int*>(table); found != version) {
    return absl::FailedPreconditionError(
        absl::StrCat(library->path, " is of another build: ", symbol, " has version ", found,
                     ", expected ", version));
  }
  return table;
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

int DeviceCount() {
  const auto api = LoadLibrary();
  char text[256];
  return api.ok() ? std::max(0, (*api)->device_count(text, sizeof(text))) : 0;
}

}  // namespace terminus::gpu
