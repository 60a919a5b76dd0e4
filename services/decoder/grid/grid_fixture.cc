#include "services/decoder/grid/grid_fixture.h"

#include <utility>

#include "models/decoder/collective_links.h"
#include "models/decoder/lm_runner.h"
#include "services/decoder/testing/thread_stage.h"
#include "services/decoder/testing/toy_stage.h"

namespace terminus::services::decoder::grid {

using models::decoder::CollectiveLinks;
using models::decoder::LmRunner;

ToyGrid::ToyGrid(GridShape shape, decoder::testing::ToyLm::Options model)
    : shape(shape), model_(std::move(model)) {}

ToyGrid::~ToyGrid() { Join(); }

GridOptions ToyGrid::front() const {
  return {.listen = "unix:" + folder_.path() + "/front",
          .meeting = "unix:" + folder_.path() + "/ranks",
          .secret = "a secret",
          .terms = {.shape = shape, .build = "1", .plan_version = 3, .model = "toy"},
          .layers = std::vector<int>(static_cast<size_t>(shape.pipeline), 1),
          .join_patience = absl::Seconds(60)};
}

RankOptions ToyGrid::rank(int number) const {
  const GridOptions grid = front();
  return {.front = grid.listen,
          .secret = grid.secret,
          .rank = number,
          .terms = grid.terms,
          .guard = decoder::testing::CatchExceptions};
}

void ToyGrid::Start(const RankOptions& options) {
  absl::Status* const status = statuses_.emplace_back(std::make_unique<absl::Status>()).get();
  threads_.emplace_back([this, options, status] {
    *status = RunRank(
        options, [&](const Placement& placement, const Meet& meet) -> absl::StatusOr<LoadedRank> {
          const int stage = placement.stage();
          const int stages = placement.shape.pipeline;
          auto communicator = meet();
          if (!communicator.ok()) {
            return communicator.status();
          }
          auto links = std::make_unique<CollectiveLinks>(
              *communicator,
              CollectiveLinks::Neighbours{
                  .previous = stage - 1, .next = stage + 1, .first = 0, .last = stages - 1},
              absl::Seconds(60), /*max_sends=*/2 * placement.steps());
          return LoadedRank{
              .runner = std::make_unique<LmRunner>(
                  std::make_unique<decoder::testing::ToyPipelineStage>(model_, stage, stages),
                  models::sampling::LogitRules{},
                  LmRunner::Options{
                      .slots = 64, .max_tokens = 1024, .pipeline_steps = placement.steps()},
                  std::move(links)),
              .rules = {}};
        });
  });
}

void ToyGrid::StartAll() {
  for (int number = 0; number < shape.world(); ++number) {
    Start(rank(number));
  }
}

std::vector<absl::Status> ToyGrid::Join() {
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
  std::vector<absl::Status> statuses;
  for (const auto& status : statuses_) {
    statuses.push_back(*status);
  }
  statuses_.clear();
  return statuses;
}

absl::StatusOr<std::unique_ptr<GridStage>> ToyGrid::Open(
    const models::sampling::LogitRules& rules) const {
  auto ranks = Gather(front());
  if (!ranks.ok()) {
    return ranks.status();
  }
  return GridStage::Create({.shape = shape, .rules = rules}, *std::move(ranks));
}

}  // namespace terminus::services::decoder::grid
