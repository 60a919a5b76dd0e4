#include "common/weights/safetensors_writer.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors_header.h"

namespace terminus::weights {
namespace {

constexpr size_t kAlignment = 8;

absl::StatusOr<std::string> MakeHeader(
    absl::Span<const std::pair<std::string, TensorView>> tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name.empty() || name == "__metadata__" || header.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor \"", name, "\": the name is empty, reserved or given twice"));
    }
    const absl::string_view dtype = SafetensorsName(tensor.dtype);
    header[name] = {{"dtype", std::string(dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {  // a name that is not UTF-8
    return absl::InvalidArgumentError(error.what());
  }
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  return text;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const std::pair<std::string, TensorView>> tensors) {
  const auto header = MakeHeader(tensors);
  if (!header.ok()) return base::Annotate(header.status(), path);
  std::string file;
  for (size_t i = 0; i < sizeof(uint64_t); ++i) {
    file.push_back(static_cast<char>(static_cast<uint64_t>(header->size()) >> (8 * i)));
  }
  file += *header;
  for (const auto& [name, tensor] : tensors) {
    file.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  }
  // The reader is the judge: what it refuses is never written.
  const auto bytes =
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(file.data()), file.size());
  const auto parsed = ParseSafetensors(bytes);
  if (!parsed.ok()) return base::Annotate(parsed.status(), path);
  return base::WriteFileAtomic(path, file);
}

}  // namespace terminus::weights
