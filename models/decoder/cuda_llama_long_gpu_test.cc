// Long runs of the CUDA engine.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/cuda/library.h"
#include "models/decoder/cuda_llama.h"
#include "models/decoder/load.h"
#include "models/decoder/runner.h"
#include "models/decoder/step_batch.h"
#include "models/decoder/teacher_model.h"

namespace {

std::atomic<int64_t> allocations = 0;

// CUDA's own function of this name.
template <class Function>
Function* Own(const char* name) {
  static void* const cuda = dlopen("libcudart.so.13", RTLD_NOLOAD | RTLD_NOW);
  return reinterpret_cast<Function*>(dlsym(cuda, name));
}

}  // namespace

// These stand before CUDA's own, for all libraries of the process.
extern "C" int cudaMalloc(void** pointer, size_t size) {
  ++allocations;
  return Own<int(void**, size_t)>("cudaMalloc")(pointer, size);
}
extern "C" int cudaHostAlloc(void** pointer, size_t size, unsigned flags) {
  ++allocations;
  return Own<int(void**, size_t, unsigned)>("cudaHostAlloc")(pointer, size, flags);
}
extern "C" int cudaMallocAsync(void** pointer, size_t size, void* stream) {
  ++allocations;
  return Own<int(void**, size_t, void*)>("cudaMallocAsync")(pointer, size, stream);
}

namespace terminus::models::decoder {
namespace {

constexpr int kBlocks = 1500;
constexpr int kMaxSequences = 96;

std::unique_ptr<CausalLm> Load(const std::string& folder, ComputeDType dtype) {
  auto lm = LoadCausalLm(folder, at::Device(at::kCUDA, 0),
                         {.kv_blocks = kBlocks,
                          .max_sequences = kMaxSequences,
                          .max_tokens = 1024,
                          .dtype = dtype,
                          .poison = true});
  EXPECT_TRUE(lm.ok()) << lm.status();
  return lm.ok() ? *std::move(lm) : nullptr;
}

// Sequences that come, grow, lose their blocks and go, as a scheduler would have them.
class Churn {
 public:
  explicit Churn(int live) : live_(live) {
    free_.resize(kBlocks);
    std::iota(free_.begin(), free_.end(), 0);
    std::shuffle(free_.begin(), free_.end(), random_);
    slots_.resize(kMaxSequences);
    std::iota(slots_.begin(), slots_.end(), 0);
  }

  // The sequences of the next step, and how many new tokens each has.
  std::vector<std::pair<Sequence*, int>> Next() {
    if (Chance(4) && !sequences_.empty()) {
      End(random_() % sequences_.size());
    }
    if (Chance(5) && !sequences_.empty()) {
      Preempt(sequences_[random_() % sequences_.size()]);
    }
    // The number of sequences moves through the buckets of the graphs.
    const size_t most = 1 + (static_cast<size_t>(step_++) / 7 * 13) % live_;
    while (sequences_.size() < most) {
      Join();
    }
    std::vector<std::pair<Sequence*, int>> work;
    int budget = 600;
    for (size_t i = sequences_.size(); i-- > 0;) {
      if (sequences_[i].tokens.size() > 1500) {
        End(i);
      }
    }
    for (Sequence& sequence : sequences_) {
      if (work.size() == most) {
        break;
      }
      const int left = static_cast<int>(sequence.tokens.size()) - sequence.computed;
      if (left == 0) {
        sequence.tokens.push_back(Token());
      }
      const int count = std::min(std::max(1, left), 1 + static_cast<int>(random_() % 150));
      if (count > budget || !Grow(sequence, count)) {
        continue;
      }
      budget -= count;
      work.emplace_back(&sequence, count);
    }
    return work;
  }

  // Exactly as many live ones, each with all but its last token computed.
  std::vector<Sequence>& Settle(CausalLm& lm) {
    while (sequences_.size() < live_) {
      Join();
    }
    for (Sequence& sequence : sequences_) {
      const int count = static_cast<int>(sequence.tokens.size()) - 1 - sequence.computed;
      if (count <= 0) {
        sequence.tokens.resize(static_cast<size_t>(sequence.computed));
        sequence.tokens.push_back(Token());
        EXPECT_TRUE(Grow(sequence, 1));
        continue;
      }
      EXPECT_TRUE(Grow(sequence, count + 1));
      Batch batch;
      batch.Add(sequence, count);
      EXPECT_TRUE(lm.Forward(batch.AsStep()).ok());
      sequence.computed += count;
    }
    return sequences_;
  }

  Ids TakeBlocks(size_t count) {
    EXPECT_GE(free_.size(), count);
    const Ids blocks(free_.end() - static_cast<int64_t>(count), free_.end());
    free_.resize(free_.size() - count);
    return blocks;
  }

 private:
  bool Chance(int one_in) { return random_() % static_cast<uint32_t>(one_in) == 0; }
  int32_t Token() { return static_cast<int32_t>(random_() % kTeacherVocabulary); }

  void Join() {
    Sequence sequence;
    const int length = 2 + static_cast<int>(random_() % 200);
    for (int i = 0; i < length; ++i) {
      sequence.tokens.push_back(Token());
    }
    sequence.slot = slots_.back();
    slots_.pop_back();
    sequences_.push_back(std::move(sequence));
  }
  void Preempt(Sequence& sequence) {
    free_.insert(free_.end(), sequence.blocks.begin(), sequence.blocks.end());
    std::shuffle(free_.begin(), free_.end(), random_);
    sequence.blocks.clear();
    sequence.computed = 0;
  }
  void End(size_t i) {
    Preempt(sequences_[i]);
    slots_.push_back(sequences_[i].slot);
    sequences_.erase(sequences_.begin() + static_cast<int64_t>(i));
  }
  bool Grow(Sequence& sequence, int count) {
    const size_t blocks =
        static_cast<size_t>(sequence.computed + count + kKvBlockTokens - 1) / kKvBlockTokens;
    while (sequence.blocks.size() < blocks) {
      if (free_.empty()) {
        return false;
      }
      sequence.blocks.push_back(free_.back());
      free_.pop_back();
    }
    return true;
  }

  const size_t live_;
  int step_ = 0;
  std::mt19937 random_{11};
  Ids free_, slots_;
  std::vector<Sequence> sequences_;
};

class CudaLlamaLongGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto gpu = cuda::FindDevice(0); !gpu.ok()) {
      GTEST_SKIP() << gpu.status();
    }
  }
};

// Logits of all tokens of `teacher`, one a step, beside the churn's sequences.
std::vector<float> Teach(CausalLm& lm, Sequence teacher, Churn* churn) {
  std::vector<float> all;
  while (teacher.computed < static_cast<int>(teacher.tokens.size())) {
    Batch batch;
    std::vector<std::pair<Sequence*, int>> beside;
    if (churn != nullptr) {
      beside = churn->Next();
    }
    batch.Add(teacher, 1);
    for (const auto& [sequence, count] : beside) {
      batch.Add(*sequence, count);
    }
    const auto logits = lm.Forward(batch.AsStep());
    EXPECT_TRUE(logits.ok()) << logits.status();
    if (!logits.ok()) {
      return all;
    }
    const auto row = logits->values.first(kTeacherVocabulary);
    all.insert(all.end(), row.begin(), row.end());
    ++teacher.computed;
    for (const auto& [sequence, count] : beside) {
      sequence->computed += count;
    }
  }
  return all;
}

class TeacherForcingGpu : public CudaLlamaLongGpu,
                          public testing::WithParamInterface<const char*> {};

// The mean error over 512 tokens, alone and among up to 63 others, is at most half as large again
// as that of transformers in bfloat16; and the reference in float32 is transformers'.
TEST_P(TeacherForcingGpu, AloneAndAmongOthers) {
  const TeacherModel model(GetParam());
  Sequence teacher{
      .tokens = model.tokens(), .blocks = {}, .computed = 0, .slot = kMaxSequences - 1};
  Churn churn(/*live=*/63);
  teacher.blocks = churn.TakeBlocks(teacher.tokens.size() / kKvBlockTokens);
  const auto exact = Load(model.folder(), ComputeDType::kFloat32);
  ASSERT_NE(exact, nullptr);
  const std::vector<float> reference = Teach(*exact, teacher, nullptr);
  for (const auto& [position, expected] : model.logits().items()) {
    const auto row = absl::MakeConstSpan(reference).subspan(
        std::stoul(position) * kTeacherVocabulary, kTeacherVocabulary);
    EXPECT_LT(Difference(row, expected.get<std::vector<float>>()), 1e-4) << position;
  }
  const auto lm = Load(model.folder(), ComputeDType::kAuto);
  ASSERT_NE(dynamic_cast<CudaLlama*>(lm.get()), nullptr);
  const double alone = Difference(Teach(*lm, teacher, nullptr), reference);
  const double among = Difference(Teach(*lm, teacher, &churn), reference);
  std::printf("%s: alone %.4f, among others %.4f, transformers %.4f\n", GetParam(), alone, among,
              model.tolerance() / 1.5);
  EXPECT_LT(alone, model.tolerance());
  EXPECT_LT(among, model.tolerance());
}

INSTANTIATE_TEST_SUITE_P(Models, TeacherForcingGpu,
                         testing::Values("heads_of_64", "heads_of_128", "one_kv_head",
                                         "many_query_heads", "three_heads", "equal_heads",
                                         "normalised_heads", "biases", "windows",
                                         "windows_of_some_layers"),
                         [](const auto& info) { return std::string(info.param); });

// After 1,000 steps of churn the logits of 64 live sequences are those of a fresh prefill.
TEST_F(CudaLlamaLongGpu, ChurnLeavesNoTrace) {
  for (const char* name : {"heads_of_64", "heads_of_128", "windows"}) {
    const TeacherModel model(name);
    const auto lm = Load(model.folder(), ComputeDType::kAuto);
    ASSERT_NE(lm, nullptr);
    Churn churn(/*live=*/64);
    for (int step = 0; step < 1000; ++step) {
      const auto work = churn.Next();
      Batch batch;
      for (const auto& [sequence, count] : work) {
        batch.Add(*sequence, count);
      }
      const auto logits = lm->Forward(batch.AsStep());
      ASSERT_TRUE(logits.ok()) << logits.status();
      for (const auto& [sequence, count] : work) {
        sequence->computed += count;
      }
    }
    std::vector<Sequence>& live = churn.Settle(*lm);
    ASSERT_EQ(live.size(), 64u);
    Batch batch;
    for (const Sequence& sequence : live) {
      batch.Add(sequence, 1);
    }
    const auto logits = lm->Forward(batch.AsStep());
    ASSERT_TRUE(logits.ok()) << logits.status();
    const std::vector<float> decoded(logits->values.begin(), logits->values.end());
    const auto fresh = Load(model.folder(), ComputeDType::kAuto);
    for (size_t i = 0; i < live.size(); ++i) {
      Sequence copy = live[i];
      copy.computed = 0;
      Batch prefill;
      prefill.Add(copy, static_cast<int>(copy.tokens.size()));
      const auto expected = fresh->Forward(prefill.AsStep());
      ASSERT_TRUE(expected.ok()) << expected.status();
      EXPECT_LT(Difference(absl::MakeConstSpan(decoded).subspan(i * kTeacherVocabulary,
                                                                kTeacherVocabulary),
                           expected->values),
                model.tolerance())
          << name << ", sequence " << i;
    }
  }
}

// 10,000 mixed steps, sampled, two in flight, allocate nothing.
TEST_F(CudaLlamaLongGpu, ServingAllocatesNothing) {
  const TeacherModel model("heads_of_64");
  const auto runner = MakeRunner(Load(model.folder(), ComputeDType::kAuto), {}, {});
  ASSERT_GT(allocations, 0) << "allocations are not counted";
  Churn churn(/*live=*/64);
  int64_t before = -1;
  for (int step = 0; step < 10'000; ++step) {
    // The first steps may load kernels.
    if (step == 100) {
      before = allocations;
    }
    const auto work = churn.Next();
    Batch batch;
    std::vector<SampleRow> rows;
    for (const auto& [sequence, count] : work) {
      batch.Add(*sequence, count);
      if (sequence->computed == 0) {
        ASSERT_TRUE(runner
                        ->OpenSlot(sequence->slot, {.sampling = {.temperature = 0.7f, .top_k = 20},
                                                    .prompt_length = 2,
                                                    .max_length = 2000,
                                                    .tokens = sequence->tokens})
                        .ok());
      }
      sequence->computed += count;
      rows.push_back({.row = static_cast<int32_t>(rows.size()), .length = sequence->computed});
    }
    ASSERT_TRUE(runner->Forward(batch.AsForward()).ok());
    ASSERT_TRUE(runner->Sample(rows).ok());
    ASSERT_TRUE(runner->EndStep().ok());
    if (step > 0) {
      ASSERT_TRUE(runner->Collect().ok());
    }
  }
  ASSERT_TRUE(runner->Collect().ok());
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace terminus::models::decoder
