#include "models/checkpoint/fake_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "common/base/check.h"
#include "common/weights/safetensors_writer.h"

namespace terminus::models::checkpoint {
namespace {

uint32_t Fnv1a(const std::string& text) {
  uint32_t value = 0x811c9dc5;
  for (const char byte : text) {
    value = (value ^ static_cast<uint8_t>(byte)) * 0x01000193;
  }
  return value;
}

// To the nearest, ties to even; of finite numbers.
uint16_t RoundToBFloat16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class T, class Round>
absl::Status WriteFake(const std::string& path, const nlohmann::json& tensors, weights::DType dtype,
                       const Round& round) {
  std::vector<std::vector<T>> values;
  std::vector<std::pair<std::string, weights::TensorView>> views;
  for (const nlohmann::json& tensor : tensors) {
    const auto name = tensor[0].get<std::string>();
    const auto shape = tensor[1].get<std::vector<int64_t>>();
    const std::vector<float> made =
        FakeTensor(tensor.size() > 2 ? tensor[2].get<std::string>() : name, shape);
    std::vector<T>& stored = values.emplace_back(made.size());
    std::transform(made.begin(), made.end(), stored.begin(), round);
    views.emplace_back(
        name, weights::TensorView{
                  .dtype = dtype,
                  .shape = shape,
                  .data = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(stored.data()),
                                              stored.size() * sizeof(T))});
  }
  return weights::WriteSafetensors(path, views);
}

}  // namespace

uint32_t FakeHash(uint32_t seed, uint32_t index) {
  uint32_t h = index * 0x9e3779b1 + seed;
  h = (h ^ h >> 16) * 0x85ebca6b;
  h = (h ^ h >> 13) * 0xc2b2ae35;
  return h ^ h >> 16;
}

std::vector<float> FakeTensor(const std::string& name, const std::vector<int64_t>& shape) {
  const int64_t count =
      std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
  double offset = 0;
  double scale = 0.4;
  if (shape.size() > 1) {
    const double fan_in = static_cast<double>(count / shape[0]);
    scale = 2 * (shape.size() == 4 ? 1.4 : 1.0) * std::sqrt(3 / fan_in);
  } else if (absl::EndsWith(name, "running_var") || absl::EndsWith(name, "weight")) {
    offset = 1;
  }
  const uint32_t seed = Fnv1a(name);
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) {
    const double u = FakeHash(seed, static_cast<uint32_t>(i)) / 0x1p32 - 0.5;
    values[i] = static_cast<float>(offset + scale * u);
  }
  return values;
}

absl::Status WriteFakeWeights(const std::string& path, const nlohmann::json& tensors) {
  return WriteFake<float>(path, tensors, weights::DType::kFloat32,
                          [](float value) { return value; });
}

absl::Status WriteFakeBFloat16(const std::string& path, const nlohmann::json& tensors) {
  return WriteFake<uint16_t>(path, tensors, weights::DType::kBFloat16, RoundToBFloat16);
}

void WriteTestFile(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << content;
}

nlohmann::json ReadGolden(const std::string& name) {
  return nlohmann::json::parse(std::ifstream("tests/golden/models/" + name + ".json"));
}

nlohmann::json ReadWeightGolden(const std::string& name) {
  return nlohmann::json::parse(std::ifstream("tests/golden/weights/" + name + ".json"));
}

absl::Status WriteGoldenFolder(const nlohmann::json& golden, const std::string& folder) {
  WriteTestFile(folder + "/config.json", golden["config"].dump());
  const nlohmann::json files = golden.value("files", nlohmann::json::object());
  for (const auto& [name, content] : files.items()) {
    WriteTestFile(folder + "/" + name, content.dump());
  }
  return WriteFakeWeights(folder + "/model.safetensors", golden["tensors"]);
}

double MaxDifference(const float* a, const float* b, size_t count) {
  double largest = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

}  // namespace terminus::models::checkpoint
