#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/temp_folder.h"
#include "services/decoder/grid/grid.h"
#include "services/decoder/grid/grid_stage.h"
#include "services/decoder/grid/rank.h"
#include "services/decoder/testing/toy_lm.h"

namespace terminus::services::decoder::grid {

// A grid whose ranks are threads with stages of the toy model, over Unix sockets.
class ToyGrid {
 public:
  explicit ToyGrid(GridShape shape, decoder::testing::ToyLm::Options model = {});
  // Ends the ranks that are left.
  ~ToyGrid();

  GridOptions front() const;
  RankOptions rank(int number) const;
  // Runs a rank in a thread; `times` times, if it ends by an error.
  void Start(const RankOptions& options, int times = 1);
  void StartAll(int times = 1);
  // Waits for all ranks that were started, and returns what each of them ended with.
  std::vector<absl::Status> Join();

  // Gathers all ranks and waits until they are ready.
  absl::StatusOr<std::unique_ptr<GridStage>> Open(int max_losses = 3) const;

  const GridShape shape;
  // How long a rank looks for a front.
  absl::Duration rank_patience = absl::Seconds(60);

 private:
  const decoder::testing::ToyLm::Options model_;
  base::TempFolder folder_;
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<absl::Status>> statuses_;
};

}  // namespace terminus::services::decoder::grid
