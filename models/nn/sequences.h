#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace terminus::models::nn {

// Where sequences lie in the rows of a tensor, one behind the other: the tokens of texts, or the
// patches of images, which are sequences of one length. Rows behind the last belong to none.
class Sequences {
 public:
  // `offsets` holds the first row of each sequence, and behind them where the last one ends; for
  // attention on `device`.
  Sequences(std::vector<int32_t> offsets, at::Device device);

  // The same known to the device alone: `offsets` int32 [count + 1] there, which may change from
  // one computation to the next. No sequence is longer than `longest`; some may be empty. What
  // these sequences have on the host is not looked at.
  Sequences(at::Tensor offsets, int32_t longest);

  // `count` sequences of `length` rows.
  static Sequences OfLength(int64_t count, int64_t length, at::Device device);

  // Empty where only the device knows them.
  const std::vector<int32_t>& offsets() const { return offsets_; }
  int64_t count() const { return count_; }
  // Rows of all sequences together; not of those that only the device knows.
  int64_t rows() const { return offsets_.back(); }
  int32_t longest() const { return longest_; }
  // The length of all sequences, or 0 if they differ or there are none.
  int32_t equal_length() const { return equal_length_; }
  // int32 [count + 1] on a GPU; not defined on a CPU, or where all sequences have one length.
  const at::Tensor& on_device() const { return on_device_; }

 private:
  std::vector<int32_t> offsets_;
  int64_t count_;
  int32_t longest_ = 0;
  int32_t equal_length_ = 0;
  at::Tensor on_device_;
};

}  // namespace terminus::models::nn
