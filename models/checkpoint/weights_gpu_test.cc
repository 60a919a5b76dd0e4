#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/base/temp_folder.h"
#include "common/weights/safetensors_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/weights.h"
#include "models/cuda/library.h"

namespace terminus::models::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Part {
  std::string name;
  weights::DType dtype;
  std::vector<int64_t> shape;
  size_t bytes;
};

class WeightsGpuTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto gpu = cuda::FindDevice(0); !gpu.ok()) {
      GTEST_SKIP() << gpu.status();
    }
    // Bytes that look the same nowhere near.
    values_ = FakeTensor("values", {int64_t{16} << 20});
  }

  // The bytes that `part` is written with, whose number is at most 64 MiB.
  absl::Span<const std::byte> BytesOf(const Part& part) const {
    const size_t skipped = part.name.size() * 4;
    return {reinterpret_cast<const std::byte*>(values_.data()) + skipped, part.bytes};
  }

  // Each inner list is a shard.
  void Write(const std::vector<std::vector<Part>>& shards) const {
    nlohmann::json map = nlohmann::json::object();
    for (size_t s = 0; s < shards.size(); ++s) {
      const std::string file = absl::StrCat("model-", s, ".safetensors");
      std::vector<std::pair<std::string, weights::TensorView>> views;
      for (const Part& part : shards[s]) {
        map[part.name] = file;
        views.emplace_back(
            part.name,
            weights::TensorView{.dtype = part.dtype, .shape = part.shape, .data = BytesOf(part)});
      }
      const absl::Status written = weights::WriteSafetensors(folder_.Path(file), views);
      ASSERT_TRUE(written.ok()) << written;
    }
    WriteTestFile(folder_.Path("model.safetensors.index.json"),
                  nlohmann::json({{"weight_map", map}}).dump());
  }

  static Part MakePart(const std::string& name, int64_t count) {
    return {name, weights::DType::kBFloat16, {count}, static_cast<size_t>(count) * 2};
  }

  const base::TempFolder folder_;
  std::vector<float> values_;
};

TEST_F(WeightsGpuTest, BytesArriveAsTheyAreInTheFiles) {
  constexpr int64_t kSlot = 1 << 20;  // Of bfloat16.
  std::vector<std::vector<Part>> shards(2);
  for (const int64_t count : {int64_t{1}, int64_t{3}, int64_t{4097}, kSlot - 1, kSlot, kSlot + 1,
                              3 * kSlot, 19 * kSlot + 7}) {
    shards[count % 2].push_back(MakePart(absl::StrCat("part", count), count));
  }
  shards[0].push_back({"wide", weights::DType::kFloat32, {1001, 333}, 1001 * 333 * 4});
  Write(shards);
  auto weights = Weights::Open(folder_.path(), at::Device(at::kCUDA, 0));
  ASSERT_TRUE(weights.ok()) << weights.status();
  std::vector<std::pair<Part, at::Tensor>> tensors;
  for (const auto& shard : shards) {
    for (const Part& part : shard) {
      tensors.emplace_back(part, weights->GetAsStored(part.name, part.shape));
    }
  }
  ASSERT_TRUE(weights->Finish().ok()) << weights->Finish();
  for (const auto& [part, tensor] : tensors) {
    ASSERT_TRUE(tensor.is_cuda());
    const at::Tensor host = tensor.cpu();
    ASSERT_EQ(host.nbytes(), part.bytes);
    EXPECT_EQ(std::memcmp(host.const_data_ptr(), BytesOf(part).data(), part.bytes), 0) << part.name;
  }
  // Converted behind the copy, in its order. Such bytes are not all numbers, which equal nothing.
  const at::Tensor converted = weights->Get("part4097", {4097}).cpu();
  const at::Tensor stored = weights->GetAsStored("part4097", {4097}).cpu().to(at::kFloat);
  EXPECT_TRUE(at::nan_to_num(converted).equal(at::nan_to_num(stored)));
}

TEST_F(WeightsGpuTest, AFileThatWasShortenedIsAnErrorThatNamesTheTensor) {
  Write({{MakePart("first", 4096), MakePart("second", 1 << 20)}});
  auto weights = Weights::Open(folder_.path(), at::Device(at::kCUDA, 0));
  ASSERT_TRUE(weights.ok()) << weights.status();
  const std::string file = folder_.Path("model-0.safetensors");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  weights->GetAsStored("first", {4096});
  EXPECT_TRUE(weights->Finish().ok());
  weights->GetAsStored("second", {1 << 20});
  EXPECT_THAT(std::string(weights->Finish().message()),
              AllOf(HasSubstr("tensor \"second\""), HasSubstr("model-0.safetensors: ends at")));
}

// RssAnon + RssShmem.
int64_t AnonymousAndShared() {
  int64_t sum = 0;
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (name == "RssAnon:" || name == "RssShmem:") {
      int64_t kib = 0;
      status >> kib;
      sum += kib * 1024;
    }
  }
  return sum;
}

TEST_F(WeightsGpuTest, LoadingTakesAtMostTwoGibibytesOfTheHost) {
  constexpr int64_t kCount = int64_t{31} << 20;  // 62 MiB.
  std::vector<std::vector<Part>> shards(9);
  for (int i = 0; i < 72; ++i) {  // 4.4 GiB.
    shards[i / 8].push_back(MakePart(absl::StrCat("tensor", i), kCount));
  }
  if (std::filesystem::space(folder_.path()).available < (uint64_t{6} << 30)) {
    GTEST_SKIP() << "less than 6 GiB of disk at " << folder_.path();
  }
  Write(shards);
  at::zeros({1}, at::Device(at::kCUDA, 0)).cpu();
  const int64_t idle = AnonymousAndShared();
  auto weights = Weights::Open(folder_.path(), at::Device(at::kCUDA, 0));
  ASSERT_TRUE(weights.ok()) << weights.status();
  int64_t most = 0;
  std::vector<at::Tensor> tensors;
  for (const auto& shard : shards) {
    for (const Part& part : shard) {
      tensors.push_back(weights->GetAsStored(part.name, part.shape));
      most = std::max(most, AnonymousAndShared() - idle);
    }
  }
  ASSERT_TRUE(weights->Finish().ok()) << weights->Finish();
  RecordProperty("mib", std::to_string(most >> 20));
  EXPECT_LE(most, int64_t{2} << 30);
}

}  // namespace
}  // namespace terminus::models::checkpoint
