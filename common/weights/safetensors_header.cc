#include "common/weights/safetensors_header.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::weights {
namespace {

using Json = nlohmann::json;

constexpr size_t kPrefixBytes = 8;
constexpr size_t kMaxDimensions = 16;

template <typename... Args>
absl::Status Bad(const Args&... args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  // A name given twice would silently hide one of two tensors.
  absl::flat_hash_set<std::string> seen;
  std::string twice;
  const auto note_names = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!seen.insert(name).second) twice = name;
    }
    return true;
  };
  try {
    Json json = Json::parse(text.begin(), text.end(), note_names);
    if (!json.is_object()) return Bad("header: expected a JSON object");
    if (!twice.empty()) return Bad("header: tensor \"", twice, "\" is given twice");
    return json;
  } catch (const Json::exception& error) {
    return Bad("header: ", error.what());
  }
}

// A non-negative integer that fits int64.
bool ReadSize(const Json& json, int64_t& value) {
  if (!json.is_number_unsigned()) return false;
  const uint64_t read = json.get<uint64_t>();
  if (read > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  value = static_cast<int64_t>(read);
  return true;
}

absl::StatusOr<TensorView> ReadShape(const Json& entry) {
  TensorView tensor;
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) return Bad("dtype: expected a string");
  const auto& dtype_name = dtype->get_ref<const std::string&>();
  const auto known = DTypeFromSafetensorsName(dtype_name);
  if (!known) return Bad("dtype \"", dtype_name, "\": expected one of ", SafetensorsNames());
  tensor.dtype = *known;

  const auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array() || shape->size() > kMaxDimensions) {
    return Bad("shape: expected an array of at most ", kMaxDimensions, " sizes");
  }
  for (const Json& size : *shape) {
    if (!ReadSize(size, tensor.shape.emplace_back())) {
      return Bad("shape: expected non-negative integers, found ", shape->dump());
    }
  }
  return tensor;
}

// Bytes that dtype and shape say; negative when they do not fit int64.
int64_t ByteCount(const TensorView& tensor) {
  int64_t bytes = static_cast<int64_t>(ElementSize(tensor.dtype));
  for (const int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return -1;
  }
  return bytes;
}

absl::StatusOr<TensorView> ReadTensor(const Json& entry, absl::Span<const std::byte> data) {
  if (!entry.is_object()) return Bad("expected an object with dtype, shape and data_offsets");
  TERMINUS_ASSIGN_OR_RETURN(TensorView tensor, ReadShape(entry));
  const auto offsets = entry.find("data_offsets");
  int64_t begin = 0;
  int64_t end = 0;
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 ||
      !ReadSize((*offsets)[0], begin) || !ReadSize((*offsets)[1], end)) {
    return Bad("data_offsets: expected [begin, end]");
  }
  if (begin > end || static_cast<uint64_t>(end) > data.size()) {
    return Bad("data_offsets [", begin, ", ", end, "]: expected a range inside the file's ",
               data.size(), " bytes of data; is the file cut off?");
  }
  const int64_t bytes = ByteCount(tensor);
  if (bytes != end - begin) {
    return Bad("data_offsets [", begin, ", ", end, "] hold ", end - begin, " bytes, but ",
               ToString(tensor.dtype, tensor.shape), " takes ",
               bytes < 0 ? "more than 2^63" : absl::StrCat(bytes));
  }
  tensor.data = data.subspan(begin, end - begin);
  return tensor;
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, TensorView>>> ParseSafetensors(
    absl::Span<const std::byte> file) {
  if (file.size() < kPrefixBytes) {
    return Bad("file of ", file.size(), " bytes: expected at least the ", kPrefixBytes,
               " bytes of the header's length");
  }
  uint64_t header_bytes = 0;
  for (size_t i = kPrefixBytes; i-- > 0;) {
    header_bytes = header_bytes << 8 | static_cast<uint64_t>(file[i]);
  }
  if (header_bytes > kMaxHeaderBytes) {
    return Bad("header length ", header_bytes, ": expected at most ", kMaxHeaderBytes,
               "; is this a safetensors file?");
  }
  if (header_bytes > file.size() - kPrefixBytes) {
    return Bad("header length ", header_bytes, ": expected at most ", file.size() - kPrefixBytes,
               ", the rest of the file; is the file cut off?");
  }
  const absl::string_view text(reinterpret_cast<const char*>(file.data()) + kPrefixBytes,
                               header_bytes);
  TERMINUS_ASSIGN_OR_RETURN(const Json header, ParseJson(text));

  const auto data = file.subspan(kPrefixBytes + header_bytes);
  std::vector<std::pair<std::string, TensorView>> tensors;
  tensors.reserve(header.size());
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    auto tensor = ReadTensor(entry, data);
    if (!tensor.ok()) return Bad("tensor \"", name, "\": ", tensor.status().message());
    tensors.emplace_back(name, *std::move(tensor));
  }

  const auto end_of = [](const TensorView& tensor) {
    return tensor.data.data() + tensor.data.size();
  };
  std::sort(tensors.begin(), tensors.end(), [&](const auto& a, const auto& b) {
    return std::pair(a.second.data.data(), end_of(a.second)) <
           std::pair(b.second.data.data(), end_of(b.second));
  });
  for (size_t i = 1; i < tensors.size(); ++i) {
    if (tensors[i].second.data.data() < end_of(tensors[i - 1].second)) {
      return Bad("tensors \"", tensors[i - 1].first, "\" and \"", tensors[i].first,
                 "\" overlap: expected data_offsets apart from each other");
    }
  }
  return tensors;
}

}  // namespace terminus::weights
