// Files with mutated headers: what the safetensors library makes of them, from
// tests/golden/weights/headers.jsonl or the file that TERMINUS_HEADER_CASES names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/weights/dtype.h"
#include "common/weights/safetensors_header.h"

namespace terminus::weights {
namespace {

using nlohmann::json;

// The header file names these: refused although the library takes them.
constexpr const char* kStricter[] = {
    "is given twice", "expected an object with dtype", "at most 16 sizes",  "dtype \"F4\"",
    "dtype \"F6_",    "shape: expected non-negative",  "dtype: expected a",
};

std::string FileOf(const json& test_case) {
  std::string file;
  const auto length = test_case["length"].get<uint64_t>();
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<char>(length >> (8 * i)));
  std::string header;
  EXPECT_TRUE(absl::Base64Unescape(test_case["header"].get<std::string>(), &header));
  return file + header + std::string(test_case["data"].get<size_t>(), '\0');
}

json Found(const std::vector<std::pair<std::string, TensorView>>& tensors) {
  json found = json::array();
  for (const auto& [name, tensor] : tensors) {
    found.push_back(
        {name, std::string(SafetensorsName(tensor.dtype)), tensor.shape, tensor.data.size()});
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(HeaderGoldenTest, TakesAndRefusesWhatTheLibraryDoes) {
  const char* const given = std::getenv("TERMINUS_HEADER_CASES");
  std::ifstream lines(given == nullptr ? "tests/golden/weights/headers.jsonl" : given);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line)) << "no goldens";
  int good = 0;
  int bad = 0;
  int stricter = 0;
  while (std::getline(lines, line)) {
    const json test_case = json::parse(line);
    const std::string file = FileOf(test_case);
    const auto tensors = ParseSafetensors(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(file.data()), file.size()));
    const std::string message(tensors.status().message());
    if (tensors.ok()) {
      ++good;
      json expected = test_case["tensors"];
      std::sort(expected.begin(), expected.end());
      EXPECT_EQ(Found(*tensors), expected) << file.substr(8);
    } else if (test_case["tensors"].is_null()) {
      ++bad;
    } else {
      ++stricter;
      EXPECT_TRUE(
          std::any_of(std::begin(kStricter), std::end(kStricter),
                      [&](const char* reason) { return absl::StrContains(message, reason); }))
          << message << "\n"
          << file.substr(8);
    }
  }
  EXPECT_GT(good, 50);
  EXPECT_GT(bad, 200);
  EXPECT_GT(stricter, 0);
}

}  // namespace
}  // namespace terminus::weights
