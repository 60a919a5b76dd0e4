#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/file.h"
#include "gtest/gtest.h"

// For tests only: the files of tests/golden/tokenizer.
namespace terminus::tokenizer {

inline constexpr char kGoldenFolder[] = "tests/golden/tokenizer/";

inline std::string ReadGolden(const std::string& name, const std::string& folder = kGoldenFolder) {
  const auto bytes = base::ReadFile(folder + name, 16 << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return *bytes;
}

inline nlohmann::json ReadGoldenJson(const std::string& name) {
  return nlohmann::json::parse(ReadGolden(name));
}

// One of those files with other sections: [file, sections]. Of the model, only what is named.
inline nlohmann::json ReadVariant(const nlohmann::json& variant) {
  nlohmann::json document = ReadGoldenJson(variant.at(0));
  for (const auto& [section, value] : variant.at(1).items()) {
    if (section == "model") {
      document[section].update(value);
    } else {
      document[section] = value;
    }
  }
  return document;
}

// The hash FNV-1a, 64 bits.
inline uint64_t Fnv1a(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

// One document a line; fewer than `least` are a fault of the file.
inline std::vector<nlohmann::json> ReadGoldenLines(const std::string& name, size_t least,
                                                   const std::string& folder = kGoldenFolder) {
  std::ifstream file(folder + name);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  EXPECT_GE(lines.size(), least);
  return lines;
}

}  // namespace terminus::tokenizer
