#pragma once

#include <string>
#include <vector>

namespace terminus::models::bundle {

// What a check of a model compared: the largest absolute difference of an element of a vector, or
// of a logit.
struct Comparison {
  std::string input;    // A text, a path, or the name of a stand-in.
  bool golden = false;  // Against the bundle's golden; false: against what came out alone.
  double alone = 0;     // 0 for a stand-in.
  double batched = 0;
};

struct VerifyReport {
  double tolerance = 0;
  std::vector<Comparison> comparisons;  // Up to the one that failed.
};

}  // namespace terminus::models::bundle
