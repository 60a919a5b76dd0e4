#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

// For tests only: made-up weights, the same as tests/golden/models/make_goldens.py makes.
namespace terminus::models::checkpoint {

// A well-mixed number for each (seed, index).
uint32_t FakeHash(uint32_t seed, uint32_t index);

// The values of a tensor, by its name and shape alone.
std::vector<float> FakeTensor(const std::string& name, const std::vector<int64_t>& shape);

// Writes a safetensors file. `tensors` is [[name, [sizes …]], …].
absl::Status WriteFakeWeights(const std::string& path, const nlohmann::json& tensors);

void WriteTestFile(const std::string& path, const std::string& content);

}  // namespace terminus::models::checkpoint
