#include "common/weights/safetensors_header.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::weights {
namespace {

using Json = nlohmann::json;

constexpr size_t kPrefixBytes = 8;
constexpr size_t kMaxDimensions = 16;
// Of the safetensors library's JSON parser.
constexpr int kMaxDepth = 127;
constexpr char kMetadata[] = "__metadata__";

template <typename... Args>
absl::Status Bad(const Args&... args) {
  return absl::InvalidArgumentError(absl::StrCat(args...));
}

// What the JSON parser would let pass, although JSON and the safetensors library do not.
absl::Status CheckText(absl::string_view text) {
  if (absl::StartsWith(text, "\xEF\xBB\xBF")) {
    return Bad("header: begins with a byte order mark, expected a JSON object");
  }
  // The parser would take it for the end.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    return Bad("header: byte ", nul, " is 0, expected JSON");
  }
  return absl::OkStatus();
}

// Watches the parser for what the parsed object no longer shows.
class HeaderRules {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth + 1 > kMaxDepth) {
      Note(absl::StrCat("expected at most ", kMaxDepth, " levels of brackets"));
    }
    if (event != Json::parse_event_t::key || depth > 2) return true;
    const auto& name = parsed.get_ref<const std::string&>();
    if (depth == 1) {
      tensor_ = name;
      keys_.clear();
      // A name given twice would silently hide one of two tensors.
      if (!names_.insert(name).second) Note(absl::StrCat("tensor \"", name, "\" is given twice"));
    } else if (tensor_ != kMetadata && IsField(name) && !keys_.insert(name).second) {
      Note(absl::StrCat("tensor \"", tensor_, "\": ", name, " is given twice"));
    }
    return true;
  }

  absl::Status status() const {
    return fault_.empty() ? absl::OkStatus() : Bad("header: ", fault_);
  }

 private:
  static bool IsField(absl::string_view key) {
    return key == "dtype" || key == "shape" || key == "data_offsets";
  }

  void Note(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
  }

  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> keys_;  // Of the tensor whose entry is being parsed.
  std::string tensor_;
  std::string fault_;  // The first.
};

absl::Status CheckMetadata(const Json& header) {
  const auto metadata = header.find(kMetadata);
  if (metadata == header.end() || metadata->is_null()) return absl::OkStatus();
  if (!metadata->is_object()) return Bad("header: ", kMetadata, ": expected an object");
  for (const auto& [key, value] : metadata->items()) {
    if (!value.is_string()) {
      return Bad("header: ", kMetadata, ": \"", key, "\": expected a string");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  TERMINUS_RETURN_IF_ERROR(CheckText(text));
  HeaderRules rules;
  try {
    Json json = Json::parse(text.begin(), text.end(), std::ref(rules));
    if (!json.is_object()) return Bad("header: expected a JSON object");
    TERMINUS_RETURN_IF_ERROR(rules.status());
    TERMINUS_RETURN_IF_ERROR(CheckMetadata(json));
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

// Bytes that dtype and shape say; negative when they, or the elements on the way from the first
// dimension to the last, do not fit.
int64_t ByteCount(const TensorView& tensor) {
  uint64_t elements = 1;
  for (const int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(elements, static_cast<uint64_t>(size), &elements)) return -1;
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, ElementSize(tensor.dtype), &bytes)) return -1;
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

// Sorts the tensors by their data, which must cover `data` without a gap or an overlap.
absl::Status CheckLayout(absl::Span<const std::byte> data,
                         std::vector<std::pair<std::string, TensorView>>* tensors) {
  const auto begin_of = [&](const TensorView& tensor) { return tensor.data.data() - data.data(); };
  const auto end_of = [&](const TensorView& tensor) {
    return begin_of(tensor) + static_cast<int64_t>(tensor.data.size());
  };
  std::sort(tensors->begin(), tensors->end(), [&](const auto& a, const auto& b) {
    return std::pair(begin_of(a.second), end_of(a.second)) <
           std::pair(begin_of(b.second), end_of(b.second));
  });
  int64_t end = 0;
  const std::string* last = nullptr;
  for (const auto& [name, tensor] : *tensors) {
    const int64_t begin = begin_of(tensor);
    if (begin < end) {
      return Bad("tensors \"", *last, "\" and \"", name,
                 "\" overlap: expected data_offsets apart from each other");
    }
    if (begin > end) {
      return Bad("tensor \"", name, "\": data_offsets begin at ", begin, ", expected ", end,
                 ", where ", last == nullptr ? "the data begins" : "the tensor before ends");
    }
    end = end_of(tensor);
    last = &name;
  }
  if (static_cast<uint64_t>(end) != data.size()) {
    return Bad("file has ", data.size() - static_cast<uint64_t>(end),
               " bytes behind its last tensor, expected none");
  }
  return absl::OkStatus();
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
    if (name == kMetadata) continue;
    auto tensor = ReadTensor(entry, data);
    if (!tensor.ok()) return Bad("tensor \"", name, "\": ", tensor.status().message());
    tensors.emplace_back(name, *std::move(tensor));
  }

  TERMINUS_RETURN_IF_ERROR(CheckLayout(data, &tensors));
  return tensors;
}

}  // namespace terminus::weights
