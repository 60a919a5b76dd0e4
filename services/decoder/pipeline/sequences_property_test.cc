#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "services/decoder/pipeline/sequences.h"
#include "services/decoder/scheduler/slot_table.h"

// Random lives of many generations against a device that checks what it is given.
namespace terminus::services::decoder::pipeline {
namespace {

constexpr int kBlockTokens = cache::kBlockTokens;
constexpr int32_t kVocabulary = 40;
constexpr int32_t kEos = 39;
constexpr int kMaxContext = 64;
constexpr int kBlocks = 11;
constexpr int kSlots = 7;
constexpr scheduler::StepLimits kLimits{.max_sequences = 5, .token_budget = 20};

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// The model: what a generation's choice answers at each position, whatever happens around it.
int32_t AnswerToken(uint64_t generation, uint32_t choice, int index) {
  const uint64_t hash = Mix(generation * 1000 + choice * 100 + static_cast<uint64_t>(index) + 1);
  return hash % 24 == 0 ? kEos : static_cast<int32_t>(hash % kEos);
}

// Prompts come from a few families, so that prefixes are shared.
std::vector<int32_t> PromptOf(uint64_t generation) {
  const uint64_t hash = Mix(generation);
  std::vector<int32_t> prompt(1 + hash % 40);
  for (size_t i = 0; i < prompt.size(); ++i) {
    prompt[i] = static_cast<int32_t>(Mix(hash % 3 + 7 * i) % kEos);
  }
  return prompt;
}

int MaxTokensOf(uint64_t generation) { return 1 + static_cast<int>(Mix(generation + 99) % 30); }

// Expects the model's tokens in order, and counts them.
class Constraint : public TokenConstraint {
 public:
  Constraint(uint64_t generation, uint32_t choice) : generation_(generation), choice_(choice) {}
  absl::Status Advance(absl::Span<const int32_t> tokens, absl::Span<uint32_t> /*mask*/) override {
    for (const int32_t token : tokens) {
      EXPECT_EQ(token, AnswerToken(generation_, choice_, seen++));
    }
    return absl::OkStatus();
  }
  int seen = 0;

 private:
  const uint64_t generation_;
  const uint32_t choice_;
};

// Receives one generation as a client does, and checks each token against the model.
class Client : public TokenSink {
 public:
  explicit Client(uint64_t id, int choices) : id_(id), received_(static_cast<size_t>(choices)) {}

  bool Full(int /*choice*/) const override { return paused; }
  void OnToken(int choice, models::sampling::Sampled token) override {
    std::pair<int, bool>& state = received_[static_cast<size_t>(choice)];
    EXPECT_FALSE(done || state.second) << "a token after the end";
    EXPECT_EQ(token.chosen.token, AnswerToken(id_, static_cast<uint32_t>(choice), state.first++));
    last_[choice] = token.chosen.token;
  }
  void OnEnd(int choice, EndReason reason) override {
    std::pair<int, bool>& state = received_[static_cast<size_t>(choice)];
    EXPECT_FALSE(std::exchange(state.second, true)) << "ended twice";
    const int room = kMaxContext - static_cast<int>(PromptOf(id_).size());
    if (reason == EndReason::kLength) {
      EXPECT_EQ(state.first, std::min(MaxTokensOf(id_), room));
    } else {
      EXPECT_TRUE(stopped || last_[choice] == kEos);
    }
  }
  void OnDone(const absl::Status& status, const GenerationReport& /*report*/) override {
    EXPECT_FALSE(std::exchange(done, true)) << "done twice";
    EXPECT_TRUE(status.ok() || disturbed) << status;
    for (const std::pair<int, bool>& state : received_) {
      EXPECT_TRUE(state.second || !status.ok());
    }
  }

  bool paused = false;
  bool stopped = false;
  // Cancelled, or a fault was injected.
  bool disturbed = false;
  bool done = false;

 private:
  const uint64_t id_;
  // For each choice: its number of tokens, and whether it ended.
  std::vector<std::pair<int, bool>> received_;
  std::map<int, int32_t> last_;
};

// Executes plans in order, and holds their results back until they are asked for.
class Device {
 public:
  void Execute(const scheduler::StepPlan& plan) {
    CheckNewBlocks(plan);
    const absl::Status status = table_->Apply(plan);
    ASSERT_TRUE(status.ok()) << status;
    for (const scheduler::OpenedSlot& opened : plan.opened) {
      slots_[opened.slot] = {.generation = opened.sampling.seed, .choice = opened.sampling.choice};
    }
    const models::decoder::ForwardInput input = table_->input();
    Step step{.id = plan.step};
    size_t row = 0;
    for (size_t s = 0; s < input.slots.size(); ++s) {
      const auto blocks = input.kv.indices.subspan(
          static_cast<size_t>(input.kv.indptr[s]),
          static_cast<size_t>(input.kv.indptr[s + 1] - input.kv.indptr[s]));
      step.blocks.insert(blocks.begin(), blocks.end());
      Slot& slot = slots_.at(input.slots[s]);
      for (int32_t t = input.query_indptr[s]; t < input.query_indptr[s + 1]; ++t) {
        Write(slot, blocks, input.token_ids[static_cast<size_t>(t)],
              input.positions[static_cast<size_t>(t)]);
      }
      if (row < input.logits_sequences.size() &&
          input.logits_sequences[row] == static_cast<int32_t>(s)) {
        const scheduler::SlotTable::Row& sampled = table_->rows()[row++];
        ReadBack(slot, blocks, sampled.length);
        const int index = sampled.length - static_cast<int>(PromptOf(slot.generation).size());
        slot.last_token = AnswerToken(slot.generation, slot.choice, index);
        step.rows.push_back({slot.generation, slot.last_token});
        if (sampled.constrained) {
          step.mask_states.push_back(index);
        }
      }
    }
    steps_.push_back(std::move(step));
  }

  // Checks that the masks of the oldest step are made from the right number of tokens.
  void CheckMasks(const Sequences::MaskWork& work) {
    Step& step = steps_.front();
    ASSERT_EQ(work.step, step.id);
    ASSERT_EQ(work.rows.size(), step.mask_states.size());
    for (size_t i = 0; i < work.rows.size(); ++i) {
      const Sequences::MaskRow& row = work.rows[i];
      if (row.constraint != nullptr) {
        EXPECT_TRUE(row.constraint->Advance(row.tokens, {}).ok());
        EXPECT_EQ(static_cast<Constraint*>(row.constraint.get())->seen, step.mask_states[i]);
      }
    }
    step.mask_states.clear();
  }

  struct Step {
    uint64_t id = 0;
    // The generation and token of each row.
    std::vector<std::pair<uint64_t, int32_t>> rows;
    std::vector<int> mask_states;
    std::set<int32_t> blocks;
  };
  std::deque<Step>& steps() { return steps_; }

  // Forgets everything, as a grid does that has lost a rank.
  void Lose() {
    steps_.clear();
    slots_.clear();
    memory_.assign(memory_.size(), {});
    table_ = MakeTable();
  }

 private:
  struct Slot {
    uint64_t generation = 0;
    uint32_t choice = 0;
    int32_t last_token = 0;
  };

  static int32_t TokenAt(const Slot& slot, const std::vector<int32_t>& prompt, int32_t position) {
    const auto length = static_cast<int32_t>(prompt.size());
    return position < length ? prompt[static_cast<size_t>(position)]
                             : AnswerToken(slot.generation, slot.choice, position - length);
  }

  // Blocks that a step in flight uses are not given to anyone to write to.
  void CheckNewBlocks(const scheduler::StepPlan& plan) {
    std::set<int32_t> fresh;
    for (const scheduler::PlanEntry& entry : plan.entries) {
      for (const int32_t block : entry.new_blocks) {
        EXPECT_TRUE(fresh.insert(block).second) << "block " << block << " is given out twice";
        for (const Step& step : steps_) {
          EXPECT_EQ(step.blocks.count(block), 0u) << "block " << block << " is in use";
        }
      }
    }
  }

  void Write(const Slot& slot, absl::Span<const int32_t> blocks, int32_t token, int32_t position) {
    token = token == models::decoder::kFromSampler ? slot.last_token : token;
    EXPECT_EQ(token, TokenAt(slot, PromptOf(slot.generation), position));
    Cell(blocks, position) = {token, position};
  }

  // A sequence finds its own tokens in its blocks.
  void ReadBack(const Slot& slot, absl::Span<const int32_t> blocks, int32_t length) {
    const std::vector<int32_t> prompt = PromptOf(slot.generation);
    for (int32_t position = 0; position < length; ++position) {
      EXPECT_EQ(Cell(blocks, position), std::make_pair(TokenAt(slot, prompt, position), position));
    }
  }

  std::pair<int32_t, int32_t>& Cell(absl::Span<const int32_t> blocks, int32_t position) {
    const int32_t block = blocks[static_cast<size_t>(position / kBlockTokens)];
    return memory_[static_cast<size_t>(block * kBlockTokens + position % kBlockTokens)];
  }

  static std::unique_ptr<scheduler::SlotTable> MakeTable() {
    return std::make_unique<scheduler::SlotTable>(
        models::decoder::RunnerInfo{.vocab_size = kVocabulary,
                                    .hidden_size = 1,
                                    .max_context = kMaxContext,
                                    .kv_blocks = kBlocks,
                                    .slots = kSlots,
                                    .max_tokens = kLimits.token_budget},
        models::sampling::LogitRules{});
  }

  std::unique_ptr<scheduler::SlotTable> table_ = MakeTable();
  std::map<int32_t, Slot> slots_;
  std::vector<std::pair<int32_t, int32_t>> memory_ =
      std::vector<std::pair<int32_t, int32_t>>(kBlocks * kBlockTokens);
  std::deque<Step> steps_;
};

class World {
 public:
  // With several stages, as many steps and one more are in flight.
  World(uint32_t seed, int stages)
      : random_(seed), max_steps_(stages > 1 ? static_cast<size_t>(stages) + 1 : 2) {
    scheduler::StepLimits limits = kLimits;
    limits.stages = stages;
    sequences_.emplace(Sequences::Options{.limits = limits,
                                          .max_context = kMaxContext,
                                          .kv_blocks = kBlocks,
                                          .slots = kSlots,
                                          .eos_token_ids = {kEos}},
                       metrics_);
  }

  void Event() {
    now_ += absl::Milliseconds(1);
    const uint32_t draw = random_() % 1000;
    if (draw < 60) {
      Arrive();
    } else if (draw < 480) {
      Plan();
    } else if (draw < 900) {
      Apply(random_() % 500 == 0);
    } else if (draw < 915) {
      WithClient([&](uint64_t id, Client& client) {
        client.disturbed = true;
        sequences_->Cancel(id, now_, now_);
      });
    } else if (draw < 925) {
      WithClient([&](uint64_t id, Client& client) {
        client.stopped = true;
        sequences_->Stop(id, static_cast<int>(random_() % 3), now_);
      });
    } else if (draw < 960) {
      WithClient([&](uint64_t, Client& client) { client.paused = random_() % 3 != 0; });
    } else if (draw < 999) {
      Masks();
    } else if (const uint32_t rare = random_() % 20; rare == 0) {
      EndAll();
    } else if (rare < 12) {
      Lose();
    }
  }

  // Lets everything end; all that was lent must come back.
  void Drain() {
    for (auto& [id, client] : clients_) client->paused = false;
    for (int round = 0; !sequences_->empty() || !device_.steps().empty(); ++round) {
      ASSERT_LT(round, 100'000) << "something is stuck";
      Plan();
      Masks();
      Apply(false);
    }
    for (const auto& [id, client] : clients_) EXPECT_TRUE(client->done) << id;
    clients_.clear();
    EXPECT_EQ(metrics_.used_blocks.Value(), 0);
    EXPECT_EQ(metrics_.running_sequences.Value(), 0);
    EXPECT_EQ(metrics_.waiting_sequences.Value(), 0);
  }

  EngineMetrics& metrics() { return metrics_; }
  int ran_ahead() const { return ran_ahead_; }
  int losses() const { return losses_; }

 private:
  void Arrive() {
    if (clients_.size() >= 12) {
      return;
    }
    const uint64_t id = ++last_id_;
    Generation generation;
    generation.prompt = PromptOf(id);
    generation.choices = 1 + static_cast<int>(random_() % 3);
    generation.max_tokens = MaxTokensOf(id);
    generation.priority = static_cast<int>(random_() % 2);
    generation.sampling.seed = id;
    if (random_() % 3 == 0) {
      generation.constraint = [id, choice = uint32_t{0}]() mutable {
        return std::make_unique<Constraint>(id, choice++);
      };
    }
    clients_[id] = std::make_shared<Client>(id, generation.choices);
    generation.sink = clients_[id];
    sequences_->Add(id, std::move(generation));
  }

  void Plan() {
    if (device_.steps().size() == max_steps_) {
      return;
    }
    const auto plan = sequences_->Plan(now_);
    if (plan.has_value()) {
      ran_ahead_ += device_.steps().empty() ? 0 : 1;
      device_.Execute(*plan);
      return;
    }
    bool paused = false;
    for (const auto& [id, client] : clients_) paused |= !client->done && client->paused;
    EXPECT_TRUE(paused || sequences_->empty() || !device_.steps().empty()) << "nothing is planned";
  }

  void Apply(bool fail) {
    if (device_.steps().empty() || !device_.steps().front().mask_states.empty()) {
      return;  // Nothing to end, or its masks are late.
    }
    const Device::Step step = std::move(device_.steps().front());
    device_.steps().pop_front();
    StepTokens tokens;
    for (const auto& [generation, token] : step.rows) {
      models::sampling::Sampled sampled;
      sampled.chosen.token = token;
      tokens.push_back(sampled);
      if (fail || random_() % 2000 == 0) {
        tokens.back() = absl::InternalError("not finite");
        Disturb(generation);
      }
    }
    if (fail) {
      for (auto& [id, client] : clients_) client->disturbed = true;
      sequences_->Apply({.step = step.id, .tokens = absl::InternalError("lost")}, now_);
    } else {
      sequences_->Apply({.step = step.id, .tokens = std::move(tokens)}, now_);
    }
    Forget();
  }

  void Masks() {
    const auto work = sequences_->TakeMaskWork();
    if (!work.has_value()) {
      return;
    }
    device_.CheckMasks(*work);
    for (const Sequences::MaskRow& row : work->rows) {
      if (row.constraint != nullptr && random_() % 500 == 0) {
        Disturb(row.id);
        sequences_->End(row.id, absl::InvalidArgumentError("its mask takes too long"), now_);
      }
    }
    Forget();
  }

  void EndAll() {
    for (auto& [id, client] : clients_) client->disturbed = true;
    sequences_->EndAll(absl::UnavailableError("another model is loaded"), now_);
    EXPECT_TRUE(sequences_->empty());
    Forget();
  }

  // The clients notice nothing.
  void Lose() {
    device_.Lose();
    sequences_->Lose(now_);
    EXPECT_EQ(sequences_->steps_in_flight(), 0);
    EXPECT_EQ(metrics_.used_blocks.Value(), 0);
    EXPECT_EQ(metrics_.cached_blocks.Value(), 0);
    ++losses_;
  }

  void Disturb(uint64_t id) {
    const auto found = clients_.find(id);
    if (found != clients_.end()) {
      found->second->disturbed = true;
    }
  }

  template <class Action>
  void WithClient(Action action) {
    if (!clients_.empty()) {
      auto client = clients_.begin();
      std::advance(client, random_() % clients_.size());
      action(client->first, *client->second);
      Forget();
    }
  }

  void Forget() {
    for (auto client = clients_.begin(); client != clients_.end();) {
      client = client->second->done ? clients_.erase(client) : std::next(client);
    }
  }

  std::mt19937 random_;
  const size_t max_steps_;
  absl::Time now_ = absl::UnixEpoch();
  metrics::Registry registry_{"test"};
  EngineMetrics metrics_{registry_};
  absl::optional<Sequences> sequences_;
  Device device_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, std::shared_ptr<Client>> clients_;
  int ran_ahead_ = 0;
  int losses_ = 0;
};

TEST(SequencesProperty, AMillionRandomEventsLeakNothingAndChangeNoToken) {
  for (uint32_t seed = 0; seed < 20 && !::testing::Test::HasFailure(); ++seed) {
    World world(seed, /*stages=*/seed % 2 == 0 ? 1 : 3);
    for (int event = 0; event < 50'000 && !::testing::Test::HasFailure(); ++event) {
      world.Event();
      if (event % 5'000 == 4'999) {
        world.Drain();
      }
    }
    EXPECT_GT(world.metrics().preemptions.Value(), 100) << "memory was never short";
    EXPECT_GT(world.metrics().cached_prompt_tokens.Value(), 1000) << "no prefix was shared";
    EXPECT_GT(world.ran_ahead(), 1000) << "no step was planned ahead";
    EXPECT_GT(world.losses(), 5) << "nothing was lost";
  }
}

}  // namespace
}  // namespace terminus::services::decoder::pipeline
