// A whole safetensors file.
#include <cstdint>

#include "absl/types/span.h"
#include "common/weights/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors = terminus::weights::ParseSafetensors(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data), size));
  if (!tensors.ok()) return 0;
  // Every view lies inside the file.
  std::byte all{0};
  for (const auto& [name, tensor] : *tensors) {
    for (const std::byte byte : tensor.data) all ^= byte;
    const auto rows = tensor.shape.empty() ? 0 : tensor.shape[0];
    static_cast<void>(terminus::weights::SliceRows(tensor, 0, rows));
    static_cast<void>(terminus::weights::ToString(tensor.dtype, tensor.shape));
  }
  volatile std::byte sink = all;
  static_cast<void>(sink);
  return 0;
}
