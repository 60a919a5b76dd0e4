#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

// For tests only: the goldens of tests/golden/models, and made-up weights as its scripts make them.
namespace terminus::models::checkpoint {

// A well-mixed number for each (seed, index).
uint32_t FakeHash(uint32_t seed, uint32_t index);

// The values of a tensor, by its name and shape alone.
std::vector<float> FakeTensor(const std::string& name, const std::vector<int64_t>& shape);

// Writes a safetensors file. `tensors` is [[name, [sizes …]], …]; with a third element, a tensor
// has the values of another name's.
absl::Status WriteFakeWeights(const std::string& path, const nlohmann::json& tensors);

// The same, rounded to bfloat16 and stored so.
absl::Status WriteFakeBFloat16(const std::string& path, const nlohmann::json& tensors);

void WriteTestFile(const std::string& path, const std::string& content);

// tests/golden/models/NAME.json, whose "config" and "tensors" describe a folder and whose other
// keys say what its model makes of what.
nlohmann::json ReadGolden(const std::string& name);

// tests/golden/weights/NAME.json: checkpoints with other names, heads and files.
nlohmann::json ReadWeightGolden(const std::string& name);

// That folder: config.json, made-up model.safetensors, and what "files" holds by name.
absl::Status WriteGoldenFolder(const nlohmann::json& golden, const std::string& folder);

// The largest absolute difference of `count` values.
double MaxDifference(const float* a, const float* b, size_t count);

}  // namespace terminus::models::checkpoint
