#include "common/collective/buffer.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace terminus::collective {

using weights::DType;

std::string Describe(const Buffer& buffer) {
  return absl::StrCat(weights::DTypeName(buffer.dtype), "[", buffer.count, "]");
}

absl::Status CheckBuffer(const char* operation, const Buffer& buffer, Memory memory,
                         int64_t max_bytes) {
  if (buffer.memory != memory) {
    return absl::InvalidArgumentError(absl::StrCat(
        operation, ": the buffer lies in ", buffer.memory == Memory::kCpu ? "host" : "CUDA",
        " memory, expected ", memory == Memory::kCpu ? "host" : "CUDA", " memory"));
  }
  if (buffer.count < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": ", buffer.count, " elements, expected at least 0"));
  }
  const int64_t element = static_cast<int64_t>(weights::ElementSize(buffer.dtype));
  if (buffer.count > max_bytes / element) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": ", Describe(buffer), ", limit ", max_bytes, " bytes"));
  }
  if (buffer.data == nullptr && buffer.count > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": ", Describe(buffer), " without data"));
  }
  return absl::OkStatus();
}

absl::Status CheckPeer(const char* operation, int peer, int rank, int size) {
  if (peer < 0 || peer >= size || peer == rank) {
    return absl::InvalidArgumentError(absl::StrCat(
        operation, ": rank ", peer, ", expected another rank than ", rank, " below ", size));
  }
  return absl::OkStatus();
}

absl::Status CheckRoot(int root, int size) {
  if (root < 0 || root >= size) {
    return absl::InvalidArgumentError(
        absl::StrCat("Broadcast: root ", root, ", expected a rank below ", size));
  }
  return absl::OkStatus();
}

absl::Status CheckWhole(const Buffer& part, const Buffer& whole, int size) {
  if (whole.dtype != part.dtype || whole.memory != part.memory || whole.stream != part.stream ||
      part.count > std::numeric_limits<int64_t>::max() / size || whole.count != part.count * size ||
      (whole.data == nullptr && whole.count > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("AllGather: ", Describe(whole), " for ", size,
                                                   " parts of ", Describe(part),
                                                   ", expected the same type, memory and stream"));
  }
  return absl::OkStatus();
}

absl::Status CheckSummable(DType dtype) {
  if (dtype != DType::kFloat32 && dtype != DType::kBFloat16 && dtype != DType::kInt32) {
    return absl::InvalidArgumentError(absl::StrCat("AllReduceSum: ", weights::DTypeName(dtype),
                                                   ", expected float32, bfloat16 or int32"));
  }
  return absl::OkStatus();
}

}  // namespace terminus::collective
