// Ranks of a tensor group, each on a thread of its own, against the whole model.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "common/base/temp_folder.h"
#include "common/collective/factory.h"
#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/checkpoint/peak_memory.h"
#include "models/decoder/causal_lm_fixture.h"
#include "models/decoder/collective_group.h"
#include "models/decoder/cpu_llama_weights.h"
#include "models/decoder/load.h"
#include "models/decoder/memory_plan.h"

namespace terminus::models::decoder {
namespace {

using checkpoint::ReadGolden;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Values = std::vector<float>;

LmOptions Options(LayerRange layers = {}, ComputeDType dtype = ComputeDType::kFloat32) {
  LmOptions options;
  options.threads = 2;
  options.kv_blocks = kBlocks;
  options.dtype = dtype;
  options.layers = layers;
  return options;
}

// Returns the logits of a last stage, or the hidden states of any other.
absl::StatusOr<Values> Compute(CausalLm& lm, const StepInput& input) {
  if (lm.last_stage()) {
    const auto logits = lm.Forward(input);
    return logits.ok()
               ? absl::StatusOr<Values>(Values(logits->values.begin(), logits->values.end()))
               : logits.status();
  }
  const auto hidden = lm.ForwardHidden(input);
  return hidden.ok() ? absl::StatusOr<Values>(Values(hidden->values.begin(), hidden->values.end()))
                     : hidden.status();
}

// All ranks of a model, or of one stage of it, in this process.
class Ranks {
 public:
  Ranks(const std::string& folder, int size, LmOptions options = Options(),
        absl::Duration patience = absl::Seconds(60)) {
    auto world = collective::CreateLoopback(size);
    EXPECT_TRUE(world.ok()) << world.status();
    for (int rank = 0; rank < size; ++rank) {
      communicators_.push_back(std::move((*world)[rank]));
      options.tensor = {.rank = rank, .size = size};
      options.tensor_group = std::make_shared<CollectiveGroup>(communicators_.back(),
                                                               CollectiveGroup::Options{patience});
      auto lm = LoadCausalLm(folder, at::kCPU, options);
      EXPECT_TRUE(lm.ok()) << lm.status();
      models_.push_back(*std::move(lm));
    }
  }

  CausalLm& rank(int rank) { return *models_[rank]; }
  collective::Communicator& communicator(int rank) { return *communicators_[rank]; }

  // Returns what every rank computes: the same bits.
  Values Run(const StepInput& input) {
    std::vector<absl::StatusOr<Values>> results(models_.size());
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < models_.size(); ++rank) {
      threads.emplace_back([&, rank] { results[rank] = Compute(*models_[rank], input); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const auto& result : results) {
      EXPECT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(*result == *results[0]) << "ranks differ";
    }
    return *results[0];
  }

 private:
  std::vector<std::shared_ptr<collective::Communicator>> communicators_;
  std::vector<std::unique_ptr<CausalLm>> models_;
};

double Largest(const Values& values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::abs(value));
  }
  return largest;
}

void ExpectClose(const Values& actual, const Values& whole) {
  EXPECT_LT(MaxDifference(actual, whole), 1e-5 * Largest(whole));
}

// A sequence's next token is the whole model's. The ranks' is the same, or as good as it.
int32_t ExpectSameToken(const Values& actual, const Values& whole) {
  const int best = Argmax(whole);
  EXPECT_LT(whole[best] - whole[Argmax(actual)], 1e-4);
  return best;
}

class TensorParallelTest : public testing::TestWithParam<std::tuple<const char*, int>> {
 protected:
  TensorParallelTest() : golden_(ReadGolden(std::get<0>(GetParam()))) {
    EXPECT_TRUE(checkpoint::WriteGoldenFolder(golden_, folder_.path()).ok());
    for (const json& prompt : golden_["prompts"]) {
      sequences_.push_back({.tokens = prompt.get<Ids>()});
    }
  }

  int size() const { return std::get<1>(GetParam()); }

  std::unique_ptr<CausalLm> Whole(LayerRange layers = {}) {
    auto lm = LoadCausalLm(folder_.path(), at::kCPU, Options(layers));
    EXPECT_TRUE(lm.ok()) << lm.status();
    return *std::move(lm);
  }

  // Sequences with tokens that no step has had.
  std::vector<Sequence*> Pending() {
    std::vector<Sequence*> pending;
    for (Sequence& sequence : sequences_) {
      if (sequence.pending() > 0) {
        pending.push_back(&sequence);
      }
    }
    return pending;
  }

  json golden_;
  base::TempFolder folder_;
  std::vector<Sequence> sequences_;
};

// Chunks of long prompts beside the decoded tokens of short ones.
TEST_P(TensorParallelTest, RanksTogetherAreTheModel) {
  const auto whole = Whole();
  Ranks ranks(folder_.path(), size());
  EXPECT_EQ(ranks.rank(0).vocab_size(), whole->vocab_size());
  Blocks blocks(7);
  for (int step = 0; step < 12 || sequences_[0].pending() > 1; ++step) {
    const auto pending = Pending();
    const Batch batch(pending, &blocks, /*limit=*/24);
    const auto expected = Compute(*whole, batch.input());
    ASSERT_TRUE(expected.ok()) << expected.status();
    const Values actual = ranks.Run(batch.input());
    ASSERT_EQ(actual.size(), expected->size());
    const int vocab = whole->vocab_size();
    for (size_t i = 0; i < pending.size(); ++i) {
      const auto row = [&](const Values& rows) {
        return Values(rows.begin() + i * vocab, rows.begin() + (i + 1) * vocab);
      };
      ExpectClose(row(actual), row(*expected));
      if (pending[i]->pending() == 0 && step < 32) {
        pending[i]->tokens.push_back(ExpectSameToken(row(actual), row(*expected)));
      }
    }
  }
}

TEST_P(TensorParallelTest, StagesHandOnWholeHiddenStates) {
  const auto whole = Whole();
  const auto whole_first = Whole({0, 1});
  Ranks first(folder_.path(), size(), Options({0, 1}));
  Ranks second(folder_.path(), size(), Options({1, -1}));
  Blocks blocks(5);
  for (int step = 0; step < 3; ++step) {
    const Batch batch(Pending(), &blocks);
    const Values hidden = first.Run(batch.input());
    ExpectClose(hidden, *Compute(*whole_first, batch.input()));
    StepInput input = batch.input();
    input.hidden_states = hidden;
    const Values actual = second.Run(input);
    const Values expected = *Compute(*whole, batch.input());
    ExpectClose(actual, expected);
    for (Sequence& sequence : sequences_) {
      sequence.tokens.push_back(step);
    }
  }
}

TEST_P(TensorParallelTest, SoftTokensCountOnce) {
  const auto whole = Whole();
  Ranks ranks(folder_.path(), size());
  auto soft = std::make_shared<SoftTokens>();
  soft->rows = 3;
  soft->values = checkpoint::FakeTensor("soft", {3, whole->hidden_size()});
  Blocks blocks(1);
  const Batch batch({&sequences_.back()}, &blocks);
  const SoftSpan span{.first_token = 2, .first_row = 1, .rows = 2, .tokens = soft};
  StepInput input = batch.input();
  const Values without = *Compute(*whole, input);
  input.soft = absl::MakeConstSpan(&span, 1);
  const Values expected = *Compute(*whole, input);
  ASSERT_GT(MaxDifference(expected, without), 1e-3);
  ExpectClose(ranks.Run(input), expected);
}

std::string NameOf(const testing::TestParamInfo<std::tuple<const char*, int>>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::to_string(std::get<1>(info.param));
}

// Among them: heads of keys that ranks share, biases of every map, norms of heads, windows, layers
// that do not turn by positions, tied and untied tables.
INSTANTIATE_TEST_SUITE_P(
    Models, TensorParallelTest,
    testing::Combine(testing::Values("llama_tied", "llama3_scaled", "llama_yarn", "mistral",
                                     "qwen2", "qwen2_window", "qwen3_window", "smollm3"),
                     testing::Values(1, 2, 4)),
    NameOf);

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
