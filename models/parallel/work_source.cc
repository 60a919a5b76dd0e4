#include "models/parallel/work_source.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace terminus::models::parallel {
namespace {

class Sequences {
 public:
  Sequences(const SequenceLoad& load, int slots)
      : load_(load), random_(load.seed), slots_(slots, std::vector<Sequence>(load.rows)) {
    for (std::vector<Sequence>& slot : slots_) {
      for (Sequence& sequence : slot) {
        const int length = DrawLength();
        sequence.output_left = 1 + static_cast<int>(random_() % length);
        sequence.context = load_.prompt_tokens + length - sequence.output_left;
      }
    }
  }

  Work Next(int slot) {
    Work work;
    double contexts = 0;
    int computed = 0;
    int budget = load_.prompt_budget;
    for (Sequence& sequence : slots_[slot]) {
      if (sequence.output_left == 0) {
        sequence = {.prompt_left = load_.prompt_tokens, .output_left = DrawLength(), .context = 0};
      }
      const int chunk = std::min(sequence.prompt_left, budget);
      const bool prefill = sequence.prompt_left > 0;
      budget -= chunk;
      sequence.prompt_left -= chunk;
      sequence.context += chunk;
      work.prompt_tokens += chunk;
      // The last token of a prompt goes through the head as a decoded row does.
      if (sequence.prompt_left == 0) {
        work.rows += 1;
        work.prompt_tokens -= prefill ? 1 : 0;
        ++sequence.context;
        --sequence.output_left;
      }
      if (chunk > 0 || sequence.prompt_left == 0) {
        contexts += sequence.context;
        ++computed;
      }
    }
    work.context = contexts / computed;
    return work;
  }

 private:
  struct Sequence {
    int prompt_left = 0;
    int output_left = 0;
    int context = 0;
  };

  int DrawLength() { return 1 + static_cast<int>(random_() % (2 * load_.output_tokens - 1)); }

  SequenceLoad load_;
  std::mt19937_64 random_;
  std::vector<std::vector<Sequence>> slots_;
};

}  // namespace

WorkSource SteadyWork(const Work& work) {
  return [work](int) { return work; };
}

WorkSource RandomSequences(const SequenceLoad& load, int slots) {
  auto sequences = std::make_shared<Sequences>(load, slots);
  return [sequences](int slot) { return sequences->Next(slot); };
}

}  // namespace terminus::models::parallel
