#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::models::bundle {

class YamlSection;

// A YAML file, and all that was found wrong with it while its sections were read.
class YamlFile {
 public:
  static absl::StatusOr<YamlFile> Read(const std::string& path);

  // Valid as long as this object is where it is.
  YamlSection root();

  // OK, or INVALID_ARGUMENT that names the file and every key at fault.
  absl::Status status() const;

 private:
  friend class YamlSection;
  YamlFile(std::string path, YAML::Node node) : path_(std::move(path)), node_(std::move(node)) {}

  std::string path_;
  YAML::Node node_;
  std::vector<std::string> faults_;
};

// A mapping of a YamlFile, read key by key. Faults go to the file; what could not be read comes
// back as an empty or smallest value.
class YamlSection {
 public:
  bool Has(const std::string& key);
  YamlSection Child(const std::string& key);
  std::string String(const std::string& key);
  int64_t Int(const std::string& key, int64_t min, int64_t max);
  int64_t IntOr(const std::string& key, int64_t min, int64_t max, int64_t otherwise);
  double NumberOr(const std::string& key, double otherwise);

  // Notes a fault that the caller found.
  void Fault(const std::string& key, const std::string& message);

  // After all keys were asked for: the others are faults.
  void Done();

 private:
  friend class YamlFile;
  YamlSection(YamlFile* file, std::string prefix, YAML::Node node)
      : file_(file), prefix_(std::move(prefix)), node_(std::move(node)) {}

  // Undefined when the key is absent.
  YAML::Node Find(const std::string& key);

  YamlFile* file_;
  std::string prefix_;  // "vision.projection."
  YAML::Node node_;
  std::set<std::string> known_;
};

}  // namespace terminus::models::bundle
