#pragma once

#include <atomic>
#include <cstdint>

namespace terminus::batching {

// What a text will cost in tokens, guessed from its bytes: whoever forms the batches has no
// tokenizer, and learns the ratio from those who do. Thread-safe.
class TextCost {
 public:
  // `bytes_per_token` as observed over one batch, special tokens counted; not positive: nothing was
  // observed.
  void Observe(double bytes_per_token);

  // At least 1; at most `max_tokens` if that is positive, since longer
  // texts are cut.
  int64_t Estimate(int64_t bytes, int64_t max_tokens) const;

  double bytes_per_token() const { return bytes_per_token_.load(std::memory_order_relaxed); }

 private:
  // English in a BERT vocabulary, until something is observed.
  std::atomic<double> bytes_per_token_{4.5};
};

// What an image costs: 32×32-pixel cells by its header. At least 1. Decoding grows with the
// source's size and the encoder's input does not, so large sources make small batches.
int64_t ImageCost(int64_t width, int64_t height);

}  // namespace terminus::batching
