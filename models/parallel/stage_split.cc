#include "models/parallel/stage_split.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace terminus::models::parallel {
namespace {

// Costs that differ by less are equal: the model of costs is not better than that. It keeps the
// embedding, which takes as good as no time, from deciding between splits.
constexpr double kEqualCosts = 1e-3;
// Sums of squares differ less.
constexpr double kEqualSquares = 1e-4;

// Dynamic programming over (stages that are left, first layer that is left).
class Solver {
 public:
  Solver(const CostModel& costs, int stages, const Work& work)
      : stages_(stages),
        layers_(costs.layers()),
        embedding_(costs.Embedding(work)),
        head_(costs.Head(work)) {
    sums_.push_back(0);
    for (int i = 0; i < layers_; ++i) {
      sums_.push_back(sums_.back() + costs.Layer(i, work));
    }
  }

  Split Solve() {
    Fill([](double cost, double rest) { return std::max(cost, rest); });
    limit_ = At(stages_, 0) * (1 + kEqualCosts);
    Fill([](double cost, double rest) { return cost * cost + rest; });
    Split split;
    int first = 0;
    for (int left = stages_; left > 0; --left) {
      // The longest first stage that is as good as the best.
      const double best = At(left, first) * (1 + kEqualSquares);
      int last = left == 1 ? layers_ : layers_ - left + 1;
      while (Cost(first, last) > limit_ || Squares(left, first, last) > best) {
        --last;
      }
      split.push_back({.first = first, .last = last});
      first = last;
    }
    return split;
  }

 private:
  double& At(int left, int first) { return table_[left * (layers_ + 1) + first]; }

  double Cost(int first, int last) const {
    return sums_[last] - sums_[first] + (first == 0 ? embedding_ : 0) +
           (last == layers_ ? head_ : 0);
  }

  double Squares(int left, int first, int last) {
    return Cost(first, last) * Cost(first, last) + At(left - 1, last);
  }

  // At(left, first) becomes the least value of `join(cost of a stage, value of the stages behind)`,
  // over stages that cost no more than `limit_`.
  template <class Join>
  void Fill(const Join& join) {
    table_.assign((stages_ + 1) * (layers_ + 1), std::numeric_limits<double>::infinity());
    At(0, layers_) = 0;
    for (int left = 1; left <= stages_; ++left) {
      for (int first = stages_ - left; first <= layers_ - left; ++first) {
        for (int last = first + 1; last <= layers_ - left + 1; ++last) {
          const double cost = Cost(first, last);
          if (cost <= limit_) {
            At(left, first) = std::min(At(left, first), join(cost, At(left - 1, last)));
          }
        }
      }
    }
  }

  int stages_;
  int layers_;
  double embedding_;
  double head_;
  std::vector<double> sums_;  // [layers + 1]: seconds of the layers before.
  double limit_ = std::numeric_limits<double>::infinity();
  std::vector<double> table_;  // [stages + 1, layers + 1]
};

}  // namespace

Split SplitLayers(const CostModel& costs, int stages, const Work& work) {
  return Solver(costs, stages, work).Solve();
}

absl::StatusOr<Split> ParseSplit(absl::string_view text, int stages, int layers) {
  Split split;
  int first = 0;
  for (const absl::string_view part : absl::StrSplit(text, '/')) {
    int count = 0;
    if (!absl::SimpleAtoi(part, &count) || count < 1 || count > layers) {
      return absl::InvalidArgumentError(absl::StrCat("split \"", text, "\": \"", part,
                                                     "\" is no number of layers from 1 to ", layers,
                                                     "; write such as \"17/15\""));
    }
    if (static_cast<int>(split.size()) == stages) {
      return absl::InvalidArgumentError(
          absl::StrCat("split \"", text, "\" has more than ", stages, " stages"));
    }
    split.push_back({.first = first, .last = first + count});
    first += count;
  }
  if (static_cast<int>(split.size()) != stages) {
    return absl::InvalidArgumentError(
        absl::StrCat("split \"", text, "\" has ", split.size(), " stages, expected ", stages));
  }
  if (first != layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("split \"", text, "\" adds up to ", first, " layers, the model has ", layers));
  }
  return split;
}

std::string FormatSplit(const Split& split) {
  return absl::StrJoin(split, "/", [](std::string* out, const decoder::LayerRange& range) {
    absl::StrAppend(out, range.last - range.first);
  });
}

std::vector<double> StageCosts(const CostModel& costs, const Split& split, const Work& work) {
  std::vector<double> seconds;
  for (const decoder::LayerRange& range : split) {
    seconds.push_back(costs.Stage(range, work));
  }
  return seconds;
}

double BusyCeiling(const std::vector<double>& costs) {
  const double sum = std::accumulate(costs.begin(), costs.end(), 0.0);
  return sum / static_cast<double>(costs.size()) / *std::max_element(costs.begin(), costs.end());
}

}  // namespace terminus::models::parallel
