#include "services/decoder/scheduler/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace terminus::services::decoder::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A sequence in the middle of its answer, with `blocks` of its own.
RunningView Decoding(int known, int blocks) {
  return {.known = known, .launched = known - 1, .blocks = blocks, .own_blocks = blocks};
}

RunningView InFlight(RunningView view) {
  view.in_flight = true;
  return view;
}

RunningView Paused(RunningView view) {
  view.paused = true;
  return view;
}

StepDecision Plan(const StepLimits& limits, const std::vector<RunningView>& running,
                  const std::vector<WaitingView>& waiting, Supply blocks,
                  Supply slots = {.available = 100}) {
  return PlanStep(limits,
                  {.running = running, .waiting = waiting, .blocks = blocks, .slots = slots});
}

TEST(Policy, NothingToDoIsAnEmptyDecision) { EXPECT_TRUE(Plan({}, {}, {}, {10}).empty()); }

TEST(Policy, DecodesGetOneTokenEachAndPromptsTheRestInChunks) {
  const StepLimits limits{.token_budget = 20};
  RunningView prompt{.known = 100, .launched = 30, .blocks = 7, .own_blocks = 7};
  const StepDecision decision =
      Plan(limits, {Decoding(5, 1), prompt, Decoding(7, 1)}, {{.known = 40}}, {10});
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}, Work{1, 18}, Work{2, 1}));
  EXPECT_THAT(decision.admitted, IsEmpty()) << "no budget left";
}

RunningView LastIn(uint64_t step, int pending, RunningView view) {
  view.last_step = step;
  view.pending = pending;
  view.in_flight = pending > 0;
  return view;
}

TEST(Policy, AMicroBatchTakesAShareOfThoseThatDecode) {
  const StepLimits limits{.max_sequences = 8, .token_budget = 100, .stages = 2};
  const RunningView prompt{.known = 50, .launched = 10, .blocks = 4, .own_blocks = 4};
  // Five decode: three of them are a share, those that were computed longest ago. The prompt is no
  // part of it.
  const StepDecision decision = Plan(
      limits,
      {LastIn(7, 1, Decoding(5, 1)), LastIn(6, 1, Decoding(6, 1)), LastIn(7, 1, Decoding(7, 1)),
       prompt, LastIn(6, 1, Decoding(8, 1)), LastIn(7, 1, Decoding(9, 1))},
      {}, {10});
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}, Work{1, 1}, Work{3, 40}, Work{4, 1}));
}

TEST(Policy, NoSequenceIsInMoreThanTwoStepsThatSampleForIt) {
  const StepLimits limits{.stages = 2};
  const StepDecision decision =
      Plan(limits, {LastIn(3, 2, Decoding(5, 1)), LastIn(2, 1, Decoding(6, 1))}, {}, {10});
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}));
  EXPECT_TRUE(Plan(limits, {LastIn(3, 2, Decoding(5, 1))}, {}, {10}).empty());
}

TEST(Policy, WhatWaitsIsAdmittedInOrderUpToTheLimitOfSequences) {
  const StepLimits limits{.max_sequences = 3, .token_budget = 100};
  const StepDecision decision = Plan(
      limits, {Decoding(5, 1)}, {{.known = 10}, {.known = 20, .cached = 16}, {.known = 5}}, {50});
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}));
  EXPECT_THAT(decision.admitted, ElementsAre(Work{0, 10}, Work{1, 4}));
}

TEST(Policy, NothingOvertakesALargePromptThatWaitsForBlocks) {
  const StepDecision decision = Plan({}, {Decoding(5, 1)}, {{.known = 160}, {.known = 1}}, {10});
  EXPECT_THAT(decision.admitted, IsEmpty());
  // One more block, the reserve of the one that runs.
  EXPECT_THAT(Plan({}, {Decoding(5, 1)}, {{.known = 160}, {.known = 1}}, {11}).admitted,
              ElementsAre(Work{0, 160}));
  // Blocks that others hold cost nothing.
  EXPECT_THAT(
      Plan({}, {Decoding(5, 1)}, {{.known = 160, .cached = 32, .held_blocks = 2}}, {9}).admitted,
      ElementsAre(Work{0, 128}));
}

TEST(Policy, TheYoungestGivesItsBlocksToTheOldest) {
  const StepDecision decision =
      Plan({}, {Decoding(17, 1), Decoding(33, 2), Decoding(20, 2)}, {{.known = 1}}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(2));
  // Two blocks came free, and two were needed.
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}, Work{1, 1}));
  EXPECT_THAT(decision.admitted, IsEmpty()) << "not in a step that preempts";
}

TEST(Policy, AYoungerOneNeverTakesFromAnOlder) {
  const StepDecision decision = Plan({}, {Decoding(10, 1), Decoding(17, 1)}, {}, {0});
  EXPECT_THAT(decision.preempted, IsEmpty());
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}));
}

TEST(Policy, SharedBlocksDoNotComeFree) {
  RunningView sharing = Decoding(20, 2);
  sharing.own_blocks = 0;
  const StepDecision decision = Plan({}, {Decoding(17, 1), Decoding(20, 2), sharing}, {}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(2, 1));
  EXPECT_THAT(decision.running, ElementsAre(Work{0, 1}));
}

TEST(Policy, PausedOnesRestAndLoseTheirBlocksFirst) {
  const RunningView paused = Paused(Decoding(20, 2));
  StepDecision decision = Plan({}, {paused, Decoding(17, 1), Decoding(20, 2)}, {}, {5});
  EXPECT_THAT(decision.preempted, IsEmpty());
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}, Work{2, 1}));
  decision = Plan({}, {paused, Decoding(17, 1), Decoding(20, 2)}, {}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(0));
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}, Work{2, 1}));
}

TEST(Policy, PausedOnesTakeNoPlace) {
  const RunningView paused = Paused(Decoding(20, 2));
  const StepDecision decision = Plan({.max_sequences = 1}, {paused}, {{.known = 4}}, {5});
  EXPECT_THAT(decision.running, IsEmpty());
  EXPECT_THAT(decision.admitted, ElementsAre(Work{0, 4}));
}

TEST(Policy, APausedOneMakesRoomForWhatWaits) {
  const RunningView paused = Paused(Decoding(60, 4));
  const StepDecision decision = Plan({}, {paused}, {{.known = 64}}, {1});
  EXPECT_THAT(decision.preempted, ElementsAre(0));
  EXPECT_TRUE(decision.empty());
}

TEST(Policy, BlocksThatComeFreeAreWaitedForWithoutFurtherVictims) {
  const std::vector<RunningView> running = {Decoding(17, 1), Decoding(20, 2), Decoding(20, 2)};
  StepDecision decision = Plan({}, running, {}, {.coming = 1});
  EXPECT_THAT(decision.preempted, IsEmpty());
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}, Work{2, 1}));
  // Two need one, and one comes: a victim is taken for the second.
  decision = Plan({}, {Decoding(17, 1), Decoding(17, 1), Decoding(20, 2)}, {}, {.coming = 1});
  EXPECT_THAT(decision.preempted, ElementsAre(2));
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}));
}

TEST(Policy, WhatAVictimInFlightGivesComesLater) {
  const StepDecision decision = Plan({}, {Decoding(17, 1), InFlight(Decoding(20, 2))}, {}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(1));
  EXPECT_THAT(decision.running, IsEmpty());
}

TEST(Policy, WhatTheFirstWaitsForIsNotGivenToThoseBehind) {
  // The first needs two blocks, of which one is there.
  RunningView first = Decoding(33, 1);
  const StepDecision decision =
      Plan({}, {first, Decoding(17, 1)}, {{.known = 1}}, {.available = 1, .coming = 1});
  EXPECT_THAT(decision.preempted, IsEmpty());
  EXPECT_TRUE(decision.empty());
}

TEST(Policy, WaitsForBlocksThatComeBeforePausedOnesArePreempted) {
  const std::vector<RunningView> running = {Paused(Decoding(60, 4))};
  EXPECT_THAT(Plan({}, running, {{.known = 64}}, {.available = 1, .coming = 3}).preempted,
              IsEmpty());
  EXPECT_THAT(Plan({}, running, {{.known = 64}}, {.available = 1, .coming = 2}).preempted,
              ElementsAre(0));
}

TEST(Policy, ASlotIsNeededToRun) {
  const std::vector<RunningView> running = {Paused(Decoding(60, 4)), Decoding(5, 1)};
  const std::vector<WaitingView> waiting = {{.known = 4}, {.known = 4}};
  EXPECT_THAT(Plan({}, running, waiting, {50}, {1}).admitted, ElementsAre(Work{0, 4}));
  EXPECT_THAT(Plan({}, running, {{.known = 4}}, {50}, {.coming = 1}).preempted, IsEmpty());
  const StepDecision decision = Plan({}, running, {{.known = 4}}, {50}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(0)) << "a paused one makes room";
  EXPECT_THAT(decision.admitted, IsEmpty());
}

TEST(Policy, PriorityComesBeforeArrival) {
  RunningView late = Decoding(17, 1);
  late.priority = -1;
  const StepDecision decision = Plan({}, {Decoding(17, 1), late}, {}, {0});
  EXPECT_THAT(decision.preempted, ElementsAre(0));
  EXPECT_THAT(decision.running, ElementsAre(Work{1, 1}));
  EXPECT_THAT(Plan({.max_sequences = 1}, {Decoding(5, 1), late}, {}, {9}).running,
              ElementsAre(Work{1, 1}));
  EXPECT_THAT(Plan({.max_sequences = 2}, {Decoding(5, 1)},
                   {{.known = 3}, {.known = 2, .priority = -5}, {.known = 1}}, {9})
                  .admitted,
              ElementsAre(Work{1, 2}));
}

// Plays whole lives of sequences against the policy, with blocks counted as the cache does.
class Simulation {
 public:
  Simulation(const StepLimits& limits, int blocks, uint32_t seed)
      : limits_(limits), blocks_(blocks), random_(seed) {}

  void Arrive(int prompt, int answer) { live_[next_++] = {prompt, prompt + answer}; }

  bool done() const { return live_.empty(); }
  int preemptions() const { return preemptions_; }

  // One step; checks everything the policy promises about it.
  void Step() {
    std::vector<RunningView> running;
    std::vector<WaitingView> waiting;
    std::vector<int> running_ids;
    std::vector<int> waiting_ids;
    for (auto& [id, s] : live_) {
      s.paused = random_() % 10 == 0;
      if (s.blocks > 0) {
        running.push_back({.known = s.known,
                           .launched = s.computed,
                           .blocks = s.blocks,
                           .own_blocks = s.blocks,
                           .paused = s.paused});
        running_ids.push_back(id);
      } else if (!s.paused) {
        waiting.push_back({.known = s.known});
        waiting_ids.push_back(id);
      }
    }
    const StepDecision decision = Plan(limits_, running, waiting, {Free()});
    for (const size_t index : decision.preempted) {
      Sequence& s = live_.at(running_ids[index]);
      ASSERT_GT(s.blocks, 0) << "preempted twice";
      s.blocks = s.computed = 0;
      ++preemptions_;
    }
    int tokens = 0;
    for (const Work& work : decision.running) {
      tokens += work.tokens;
      Run(running_ids[work.index], work.tokens);
    }
    for (const Work& work : decision.admitted) {
      tokens += work.tokens;
      Run(waiting_ids[work.index], work.tokens);
    }
    ASSERT_LE(tokens, limits_.token_budget);
    ASSERT_LE(decision.running.size() + decision.admitted.size(),
              static_cast<size_t>(limits_.max_sequences));
    ASSERT_TRUE(std::is_sorted(decision.admitted.begin(), decision.admitted.end(),
                               [](const Work& a, const Work& b) { return a.index < b.index; }));
  }

 private:
  struct Sequence {
    int known = 0;
    int end = 0;
    int computed = 0;
    int blocks = 0;
    bool paused = false;
  };

  int Free() const {
    int free = blocks_;
    for (const auto& [id, s] : live_) free -= s.blocks;
    return free;
  }

  void Run(int id, int tokens) {
    Sequence& s = live_.at(id);
    ASSERT_FALSE(s.paused);
    ASSERT_GT(tokens, 0);
    ASSERT_LE(s.computed + tokens, s.known);
    s.blocks = std::max(s.blocks, BlocksFor(s.known, limits_.block_tokens));
    ASSERT_GE(Free(), 0) << "more blocks than there are";
    s.computed += tokens;
    if (s.computed == s.known && ++s.known > s.end) {
      live_.erase(id);
    }
  }

  const StepLimits limits_;
  const int blocks_;
  std::mt19937 random_;
  int next_ = 0;
  std::map<int, Sequence> live_;
  int preemptions_ = 0;
};

TEST(Policy, RandomLivesAllEndWithinBoundsWhateverTheMemory) {
  int preemptions = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const int max_sequences = 1 + static_cast<int>(random() % 8);
    const StepLimits limits{.max_sequences = max_sequences,
                            .token_budget = max_sequences + static_cast<int>(random() % 40)};
    // Enough for the longest alone: 60 + 60 tokens and the one that ends it.
    Simulation simulation(limits, 8 + static_cast<int>(random() % 12), seed);
    for (int i = 0; i < 30; ++i) {
      simulation.Arrive(1 + static_cast<int>(random() % 60), 1 + static_cast<int>(random() % 60));
    }
    int steps = 0;
    while (!simulation.done() && !::testing::Test::HasFailure()) {
      simulation.Step();
      ASSERT_LT(++steps, 20'000) << "something starves, seed " << seed;
    }
    preemptions += simulation.preemptions();
  }
  EXPECT_GT(preemptions, 1000) << "memory was never short";
}

}  // namespace
}  // namespace terminus::services::decoder::scheduler
