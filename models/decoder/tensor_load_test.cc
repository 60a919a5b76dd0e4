// How a rank of a tensor group is loaded, what it reads and refuses, and how a group fails.
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/decoder/cpu_llama_weights.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/memory_plan.h"
#include "models/decoder/tensor_ranks_fixture.h"

namespace terminus::models::decoder {
namespace {

using checkpoint::ReadGolden;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Counts its calls, and fails from some call on.
class FakeGroup : public TensorGroup {
 public:
  explicit FakeGroup(int good_calls) : good_calls_(good_calls) {}

  int rank() const override { return 1; }
  int size() const override { return 2; }
  absl::Status AllReduceSum(float*, int64_t) override { return Call(); }
  absl::Status AllGather(const float* part, int64_t count, float* whole) override {
    std::copy_n(part, count, whole);
    std::copy_n(part, count, whole + count);
    return Call();
  }

  int calls = 0;

 private:
  absl::Status Call() {
    return ++calls > good_calls_ ? absl::UnavailableError("rank 0 died") : absl::OkStatus();
  }

  const int good_calls_;
};

class TensorLoadTest : public testing::Test {
 protected:
  explicit TensorLoadTest(const char* golden = "llama_tied") { Write(ReadGolden(golden)); }

  void Write(const json& golden) {
    ASSERT_TRUE(checkpoint::WriteGoldenFolder(golden, folder_.path()).ok());
  }

  absl::StatusOr<std::unique_ptr<CausalLm>> Load(TensorSlice slice,
                                                 std::shared_ptr<TensorGroup> group = nullptr,
                                                 at::Device device = at::kCPU) {
    LmOptions options = Options();
    options.tensor = slice;
    options.tensor_group = std::move(group);
    return LoadCausalLm(folder_.path(), device, options);
  }

  base::TempFolder folder_;
};

// Columns that are copied keep their 16 bits, and rows of the embedding are widened.
TEST_F(TensorLoadTest, BFloat16SlicesAreTheWhole) {
  for (const char* name : {"llama_tied", "llama3_scaled"}) {
    const json golden = ReadGolden(name);
    Write(golden);
    ASSERT_TRUE(
        checkpoint::WriteFakeBFloat16(folder_.path() + "/model.safetensors", golden["tensors"])
            .ok());
    const auto whole = LoadCausalLm(folder_.path(), at::kCPU, Options({}, ComputeDType::kAuto));
    ASSERT_TRUE(whole.ok()) << whole.status();
    ASSERT_EQ((*whole)->dtype(), ComputeDType::kBFloat16);
    Ranks ranks(folder_.path(), 2, Options({}, ComputeDType::kAuto));
    Blocks blocks(0);
    Sequence sequence{.tokens = golden["prompts"].back().get<Ids>()};
    const Batch batch({&sequence}, &blocks);
    ExpectClose(ranks.Run(batch.input()), *Compute(**whole, batch.input()));
  }
}

TEST_F(TensorLoadTest, AnErrorOfTheGroupIsFinal) {
  // The embedding, two sums in each of three layers, and the logits.
  constexpr int kCalls = 1 + 2 * 3 + 1;
  for (int good = 0; good <= kCalls; ++good) {
    SCOPED_TRACE(good);
    const auto group = std::make_shared<FakeGroup>(good);
    const auto lm = Load({.rank = 1, .size = 2}, group);
    ASSERT_TRUE(lm.ok()) << lm.status();
    Blocks blocks(0);
    Sequence sequence{.tokens = {1, 2, 3}};
    const Batch batch({&sequence}, &blocks);
    const auto logits = Compute(**lm, batch.input());
    EXPECT_EQ(group->calls, std::min(good + 1, kCalls));
    if (good == kCalls) {
      EXPECT_TRUE(logits.ok()) << logits.status();
      continue;
    }
    EXPECT_EQ(logits.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(logits.status().message()),
                AllOf(StartsWith("rank 1 of a tensor group of 2, all-"), HasSubstr("rank 0 died")));
    EXPECT_EQ(Compute(**lm, batch.input()).status(), logits.status());
    EXPECT_EQ(group->calls, good + 1);
  }
}

TEST_F(TensorLoadTest, AStepThatIsRefusedCallsNobody) {
  const auto group = std::make_shared<FakeGroup>(1000);
  const auto lm = Load({.rank = 1, .size = 2}, group);
  ASSERT_TRUE(lm.ok()) << lm.status();
  const Ids zero = {0}, none = {};
  StepInput nothing;
  nothing.query_indptr = nothing.kv.indptr = zero;
  EXPECT_TRUE((*lm)->Forward(nothing).ok());
  nothing.positions = zero;
  EXPECT_EQ((*lm)->Forward(nothing).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(group->calls, 0);
}

TEST_F(TensorLoadTest, AbortEndsAStepThatWaits) {
  Ranks ranks(folder_.path(), 2);
  Blocks blocks(0);
  Sequence sequence{.tokens = {1, 2, 3}};
  const Batch batch({&sequence}, &blocks);
  absl::StatusOr<Values> waits;
  std::thread first([&] { waits = Compute(ranks.rank(0), batch.input()); });
  ranks.communicator(0).Abort("the server stops");
  first.join();
  EXPECT_EQ(waits.status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(waits.status().message()), HasSubstr("the server stops"));
  EXPECT_EQ(Compute(ranks.rank(1), batch.input()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TensorLoadTest, ARankThatDoesNotComeIsWaitedForUntilTheDeadline) {
  Ranks ranks(folder_.path(), 2, Options(), /*patience=*/absl::Milliseconds(1));
  Blocks blocks(0);
  Sequence sequence{.tokens = {1, 2, 3}};
  const Batch batch({&sequence}, &blocks);
  EXPECT_EQ(Compute(ranks.rank(0), batch.input()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TensorLoadTest, RefusesWhatCannotBeSliced) {
  const auto message = [&](absl::StatusCode code, TensorSlice slice,
                           std::shared_ptr<TensorGroup> group, at::Device device = at::kCPU) {
    const auto lm = Load(slice, std::move(group), device);
    EXPECT_EQ(lm.status().code(), code);
    return std::string(lm.status().message());
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto group = std::make_shared<FakeGroup>(0);
  EXPECT_THAT(message(invalid, {1, 2}, nullptr), HasSubstr("rank 1 of a tensor group of 2 was"));
  EXPECT_THAT(message(invalid, {0, 2}, group), HasSubstr("given the group of rank 1 of 2"));
  EXPECT_THAT(message(invalid, {1, 3}, group), HasSubstr("num_attention_heads 4"));
  EXPECT_THAT(message(absl::StatusCode::kUnimplemented, {1, 2}, group, at::Device("cuda:0")),
              AllOf(HasSubstr("CudaLlama and AtenLlama"), HasSubstr("cuda:0")));
  EXPECT_TRUE(Load({1, 2}, nullptr, at::kMeta).ok()) << "a check needs no group";
  Write(ReadGolden("smollm2"));
  EXPECT_THAT(message(invalid, {1, 2}, group), HasSubstr("num_attention_heads 3"));
  Write(ReadGolden("qwen3_biased"));
  EXPECT_THAT(message(invalid, {1, 2}, group), HasSubstr("num_attention_heads 5"));
}

TEST_F(TensorLoadTest, ABlockHoldsTheHeadsOfTheRank) {
  const auto group = std::make_shared<FakeGroup>(0);
  const int64_t bytes = Load({}).value()->kv_block_bytes();
  EXPECT_EQ(2 * Load({1, 2}, group).value()->kv_block_bytes(), bytes);
  LmOptions options = Options();
  options.kv_blocks = 0;
  options.kv_bytes = 3 * bytes;
  options.tensor = {1, 2};
  options.tensor_group = group;
  EXPECT_EQ(LoadCausalLm(folder_.path(), at::kCPU, options).value()->kv_blocks(), 6);
}

// Biases of sums are rank 0's, layers are another stage's: only what no rank reads is unused.
TEST_F(TensorLoadTest, WarnsOfNoTensorThatAnotherRankReads) {
  json golden = ReadGolden("llama3_scaled");
  const auto warnings = [&] {
    const settings::Collector collector;
    Write(golden);
    LmOptions options = Options({1, 2});
    options.tensor = {1, 2};
    options.tensor_group = std::make_shared<FakeGroup>(0);
    EXPECT_TRUE(LoadCausalLm(folder_.path(), at::kCPU, options).ok());
    return collector.warnings();
  };
  EXPECT_THAT(warnings(), IsEmpty());
  golden["tensors"].push_back({"model.layers.1.self_attn.q_norm.weight", {32}});
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("1 tensors are not used: model.layers.1.self_attn."
                                                "q_norm.weight")));
}

// Norms are whole on every rank, and two of four ranks share a head of keys.
TEST_F(TensorLoadTest, RanksAndStagesReadTheCheckpointAboutOnce) {
  json golden = checkpoint::Enlarge(ReadGolden("llama_tied"), {{64, 256}, {88, 704}, {97, 501}},
                                    "model.layers.", 4,
                                    {{"hidden_size", 256},
                                     {"num_attention_heads", 16},
                                     {"num_key_value_heads", 2},
                                     {"intermediate_size", 704},
                                     {"vocab_size", 501},
                                     {"num_hidden_layers", 4},
                                     {"tie_word_embeddings", false}});
  golden["tensors"].push_back({"lm_head.weight", {501, 256}});
  Write(golden);
  const auto config = ReadLlamaConfig(folder_.path());
  ASSERT_TRUE(config.ok()) << config.status();
  const auto whole = static_cast<double>(checkpoint::WeightBytes(golden));
  for (const int size : {1, 2, 4}) {
    for (const int stages : {1, 2, 4}) {
      int64_t sum = 0;
      for (int load = 0; load < size * stages; ++load) {
        const int layers = config->layers / stages;
        const int first = load / size * layers;
        LmOptions options = Options({first, first + layers});
        options.tensor = {.rank = load % size, .size = size};
        auto weights = checkpoint::Weights::Open(folder_.path(), at::kCPU, kLlamaNames);
        ASSERT_TRUE(weights.ok()) << weights.status();
        SkipTensorsOfOthers(*config, *weights);
        LoadCpuWeights(*config, options, kernels::BestIsa(), *weights);
        ASSERT_TRUE(weights->Finish().ok()) << weights->Finish();
        EXPECT_EQ(weights->bytes_asked(), NeedOf(*config, options, sizeof(float)).weights);
        sum += weights->bytes_asked();
      }
      EXPECT_GE(static_cast<double>(sum), whole) << size << " x " << stages;
      EXPECT_LE(static_cast<double>(sum), 1.05 * whole) << size << " x " << stages;
    }
  }
}

}  // namespace
}  // namespace terminus::models::decoder
