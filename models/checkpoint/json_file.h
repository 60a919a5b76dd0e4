#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::models::checkpoint {

// A JSON object from a file, read field by field. What is wrong with a field is kept, so that a
// reader asks for all it needs and looks at status() once; every message names the file and the
// key. Not thread-safe.
class JsonFile {
 public:
  // NOT_FOUND when there is no such file; INVALID_ARGUMENT when it is not JSON, or not an object.
  static absl::StatusOr<JsonFile> Read(const std::string& path);

  // The same from text at hand; `path` is what messages call it.
  static absl::StatusOr<JsonFile> Parse(const std::string& path, const std::string& text);

  // Of a file that holds an array, to be looked at through json().
  static absl::StatusOr<JsonFile> ReadArray(const std::string& path);

  // `key` may be absent only where a default is given. Outside [min, max] is an error.
  int64_t Int(const std::string& key, int64_t min, int64_t max);
  int64_t IntOr(const std::string& key, int64_t min, int64_t max, int64_t otherwise);
  double NumberOr(const std::string& key, double otherwise);
  bool BoolOr(const std::string& key, bool otherwise);
  std::string String(const std::string& key);
  std::string StringOr(const std::string& key, const std::string& otherwise);
  // As many numbers as the default has.
  std::vector<double> NumbersOr(const std::string& key, std::vector<double> otherwise);

  // The object at `key`, to be read in the same way, or an empty one when it is absent. Its faults
  // are its own: hand them back with Adopt.
  JsonFile Object(const std::string& key);
  void Adopt(const std::string& key, const JsonFile& object);

  // Notes a fault that the caller found.
  void Fault(const std::string& key, const std::string& message);

  // OK, or INVALID_ARGUMENT with all that was noted so far.
  absl::Status status() const;

  const nlohmann::json& json() const { return json_; }
  const std::string& path() const { return path_; }

 private:
  JsonFile(std::string path, nlohmann::json json)
      : path_(std::move(path)), json_(std::move(json)) {}

  // Null when absent, or JSON null.
  const nlohmann::json* Find(const std::string& key) const;

  std::string path_;
  nlohmann::json json_;
  std::vector<std::string> faults_;
};

}  // namespace terminus::models::checkpoint
