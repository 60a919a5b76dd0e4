#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/strings/string_view.h"

namespace terminus::base {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

// Appends numbers to a string, little-endian and without padding.
class ByteWriter {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void PutCount(size_t count) { Put(static_cast<uint32_t>(count)); }
  // The elements without their number.
  template <typename Values>
  void PutAll(const Values& values) {
    static_assert(std::is_trivially_copyable_v<typename Values::value_type>);
    bytes_.append(reinterpret_cast<const char*>(values.data()),
                  values.size() * sizeof(typename Values::value_type));
  }
  template <typename Values>
  void PutCounted(const Values& values) {
    PutCount(values.size());
    PutAll(values);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads them back. Whoever wrote the bytes is not trusted: nothing beyond them is read.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  // Reads zero past the end, and remembers that.
  template <typename T>
  T Get() {
    T value{};
    if (rest_.size() < sizeof(T)) {
      ended_ = true;
      rest_ = {};
    } else {
      std::memcpy(&value, rest_.data(), sizeof(T));
      rest_.remove_prefix(sizeof(T));
    }
    return value;
  }
  template <typename Values>
  void GetAll(uint32_t count, Values& values) {
    using T = typename Values::value_type;
    static_assert(std::is_trivially_copyable_v<T>);
    // Compared before anything is allocated.
    if (rest_.size() / sizeof(T) < count) {
      ended_ = true;
      rest_ = {};
      return;
    }
    values.resize(count);
    if (count > 0) {
      std::memcpy(values.data(), rest_.data(), count * sizeof(T));
    }
    rest_.remove_prefix(count * sizeof(T));
  }
  template <typename Values>
  void GetCounted(Values& values) {
    GetAll(Get<uint32_t>(), values);
  }
  // Whether something was read beyond the end.
  bool ended() const { return ended_; }
  size_t left() const { return rest_.size(); }

 private:
  absl::string_view rest_;
  bool ended_ = false;
};

}  // namespace terminus::base
