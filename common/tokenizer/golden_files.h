#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "gtest/gtest.h"

// For tests only: the files of tests/golden/tokenizer.
namespace terminus::tokenizer {

inline constexpr char kGoldenFolder[] = "tests/golden/tokenizer/";

inline std::string ReadGolden(const std::string& name) {
  const auto bytes = base::ReadFile(kGoldenFolder + name, 16 << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return *bytes;
}

inline nlohmann::json ReadGoldenJson(const std::string& name) {
  return nlohmann::json::parse(ReadGolden(name));
}

// One document a line; fewer than `least` are a fault of the file.
inline std::vector<nlohmann::json> ReadGoldenLines(const std::string& name, size_t least) {
  std::ifstream file(kGoldenFolder + name);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  EXPECT_GE(lines.size(), least);
  return lines;
}

}  // namespace terminus::tokenizer
