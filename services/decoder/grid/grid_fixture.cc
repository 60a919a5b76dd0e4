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
          .join_patience = rank_patience,
          .guard = decoder::testing::CatchExceptions};
}

void ToyGrid::Start(const RankOptions& options, int times) {
  absl::Status* const status = statuses_.emplace_back(std::make_unique<absl::Status>()).get();
  const LoadRank load = [this](const Placement& placement,
                               const Meeting& /*meeting*/) -> absl::StatusOr<LoadedRank> {
    const int stage = placement.stage();
    const int stages = placement.shape.pipeline;
    const auto lm = std::make_shared<decoder::testing::ToyPipelineStage>(model_, stage, stages);
    const int steps = placement.steps();
    return LoadedRank{
        .make_runner = [=](const Meeting& meeting)
            -> absl::StatusOr<std::unique_ptr<models::decoder::StepRunner>> {
          auto links = std::make_unique<CollectiveLinks>(
              meeting.world,
              CollectiveLinks::Neighbours{
                  .previous = stage - 1, .next = stage + 1, .first = 0, .last = stages - 1},
              absl::Seconds(60), /*max_sends=*/2 * steps);
          return std::make_unique<LmRunner>(
              lm, models::sampling::LogitRules{},
              LmRunner::Options{.slots = 64, .max_tokens = 1024, .pipeline_steps = steps},
              std::move(links));
        },
        .rules = {}};
  };
  threads_.emplace_back([options, times, load, status] {
    *status = RunRank(options, load);
    for (int time = 1; time < times && !status->ok(); ++time) {
      *status = RunRank(options, load);
    }
  });
}

void ToyGrid::StartAll(int times) {
  for (int number = 0; number < shape.world(); ++number) {
    Start(rank(number), times);
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

absl::StatusOr<std::unique_ptr<GridStage>> ToyGrid::Open(int max_losses) const {
  return GridStage::Create(
      {.shape = shape,
       .rules = {},
       .gather =
           [options = front()](const std::set<int>&, const auto& check) mutable {
             options.check = check;
             return Gather(options);
           },
       .max_losses = max_losses});
}

}  // namespace terminus::services::decoder::grid
