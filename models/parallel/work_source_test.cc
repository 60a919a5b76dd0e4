#include "models/parallel/work_source.h"

#include "gtest/gtest.h"

namespace terminus::models::parallel {
namespace {

TEST(WorkSource, SteadyWorkNeverChanges) {
  const WorkSource source = SteadyWork({.rows = 4, .prompt_tokens = 2, .context = 100});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(source(i).rows, 4);
    EXPECT_EQ(source(i).prompt_tokens, 2);
    EXPECT_EQ(source(i).context, 100);
  }
}

TEST(WorkSource, ASeedGivesTheSameSequences) {
  const auto sum = [](uint64_t seed) {
    const WorkSource source = RandomSequences({.rows = 3, .seed = seed}, 2);
    double tokens = 0;
    for (int i = 0; i < 100; ++i) {
      tokens = 3 * tokens / 2 + source(i % 2).tokens();
    }
    return tokens;
  };
  EXPECT_EQ(sum(1), sum(1));
  EXPECT_NE(sum(1), sum(2));
}

// In the long run each sequence has a prompt for so many tokens of output.
TEST(WorkSource, PromptsComeWithNewSequences) {
  const WorkSource source =
      RandomSequences({.rows = 8, .prompt_tokens = 40, .output_tokens = 20, .seed = 3}, 1);
  double rows = 0;
  double tokens = 0;
  double contexts = 0;
  for (int i = 0; i < 20000; ++i) {
    const Work work = source(0);
    EXPECT_EQ(work.rows, 8);
    rows += work.rows;
    tokens += work.tokens();
    contexts += work.context;
  }
  // The last token of a prompt gives the first of the output.
  EXPECT_NEAR((tokens - rows) / rows, 39.0 / 20, 0.05);
  // A sequence that is seen at random is longer than the mean: (n² + n) / 2 of n tokens each.
  EXPECT_NEAR(contexts / 20000, 40 + 13.5, 1);
}

TEST(WorkSource, LongPromptsAreComputedInSteps) {
  const WorkSource source = RandomSequences(
      {.rows = 1, .prompt_tokens = 25, .output_tokens = 1, .prompt_budget = 10, .seed = 3}, 1);
  EXPECT_EQ(source(0).rows, 1);  // The sequence of the beginning ends.
  for (int round = 0; round < 3; ++round) {
    for (const double context : {10.0, 20.0}) {
      const Work work = source(0);
      EXPECT_EQ(work.rows, 0);
      EXPECT_EQ(work.prompt_tokens, 10);
      EXPECT_EQ(work.context, context);
    }
    const Work last = source(0);
    EXPECT_EQ(last.rows, 1);
    EXPECT_EQ(last.prompt_tokens, 4);
  }
}

TEST(WorkSource, SequencesOfASlotShareTheBudget) {
  const WorkSource source = RandomSequences(
      {.rows = 4, .prompt_tokens = 50, .output_tokens = 2, .prompt_budget = 20, .seed = 3}, 2);
  for (int i = 0; i < 500; ++i) {
    EXPECT_LE(source(i % 2).tokens(), 20 + 4);
  }
}

}  // namespace
}  // namespace terminus::models::parallel
