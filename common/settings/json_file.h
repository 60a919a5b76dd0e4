#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/settings/table.h"

namespace terminus::settings {

// A JSON object from a file, read field by field. Faults are kept, so that a reader asks for all it
// needs and looks at status() once; every message names the file and the key. Not thread-safe.
//
// Bound to a table, the file is checked against it when it is read: refused values are faults,
// unknown keys are one warning (collector.h). From then on only keys that the table declares as
// used may be asked for; any other is a bug, and ends the process.
class JsonFile {
 public:
  // NOT_FOUND when there is no such file; INVALID_ARGUMENT when it is not JSON, or not an object.
  // Without a table nothing is checked: for files whose keys are all free.
  static absl::StatusOr<JsonFile> Read(const std::string& path, const Table* table = nullptr);

  // The same from text at hand; `path` is the file's name in messages.
  static absl::StatusOr<JsonFile> Parse(const std::string& path, const std::string& text,
                                        const Table* table = nullptr);

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

  // The object at `key`, to be read in the same way, or an empty one when it is absent. It is bound
  // to the key's own table. Its faults are its own: hand them back with Adopt.
  JsonFile Object(const std::string& key);
  void Adopt(const std::string& key, const JsonFile& object);

  // The value as it stands; null when it is absent or JSON null.
  const nlohmann::json* Find(const std::string& key) const;
  bool Has(const std::string& key) const { return Find(key) != nullptr; }

  // Notes a fault that the caller found.
  void Fault(const std::string& key, const std::string& message);

  // OK, or INVALID_ARGUMENT with all that was noted so far.
  absl::Status status() const;

  const nlohmann::json& json() const { return json_; }
  const std::string& path() const { return path_; }

 private:
  JsonFile(std::string path, nlohmann::json json, const Table* table)
      : path_(std::move(path)), json_(std::move(json)), table_(table) {}

  // Checks all keys against the table, those of objects inside it too.
  void Check();

  std::string path_;
  nlohmann::json json_;
  const Table* table_;
  std::vector<std::string> faults_;
};

}  // namespace terminus::settings
